"""The application that `run` measures, as uWSGI calls it."""


def application(environ, start_response):
    text = b"Hello, World!"
    if environ["PATH_INFO"] == "/upload":
        received = 0
        while block := environ["wsgi.input"].read(65536):
            received += len(block)
        text = str(received).encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(text)))])
    return [text]
