/* The application that `run` measures, on libfcgi: one thread for each connection. libfcgi SOCKET THREADS */
#include <fcgiapp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int listener;

static void answer(FCGX_Request *request) {
    const char *path = FCGX_GetParam("DOCUMENT_URI", request->envp);
    char text[32] = "Hello, World!";
    if (path && !strcmp(path, "/upload")) {
        static __thread char block[65536];
        long received = 0;
        int length;
        while ((length = FCGX_GetStr(block, sizeof block, request->in)) > 0) received += length;
        snprintf(text, sizeof text, "%ld", received);
    }
    FCGX_FPrintF(request->out, "Status: 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s",
                 (int)strlen(text), text);
}

static void *serve(void *unused) {
    FCGX_Request request;
    FCGX_InitRequest(&request, listener, 0);
    while (FCGX_Accept_r(&request) == 0) {
        answer(&request);
        FCGX_Finish_r(&request);
    }
    return unused;
}

int main(int count, char **arguments) {
    if (count < 3 || FCGX_Init()) return 2;
    listener = FCGX_OpenSocket(arguments[1], 1024);
    if (listener < 0) return 1;
    for (int left = atoi(arguments[2]); left > 1; left--) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, serve, NULL)) return 1;
    }
    serve(NULL);
    return 0;
}
