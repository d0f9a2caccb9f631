// The application that `run` measures, on Go's net/http/fcgi: gofcgi SOCKET
package main

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/fcgi"
	"os"
)

func main() {
	listener, err := net.Listen("unix", os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(fcgi.Serve(listener, http.HandlerFunc(answer)))
}

func answer(writer http.ResponseWriter, request *http.Request) {
	text := "Hello, World!"
	if request.URL.Path == "/upload" {
		received, _ := io.Copy(io.Discard, request.Body)
		text = fmt.Sprint(received)
	}
	writer.Header().Set("Content-Type", "text/plain")
	writer.Header().Set("Content-Length", fmt.Sprint(len(text)))
	io.WriteString(writer, text)
}
