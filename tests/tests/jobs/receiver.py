"""A receiver of webhooks over TLS, with nothing of mailsonde's in it: the standard library, and the library of the
Standard Webhooks specification.

Arguments: a PEM file with key and certificate, a file of secrets, one a line, and the one version of TLS that it speaks,
or none: those of today. Prints its port, then a line of JSON
for each request: what came, and whether each secret verifies it. Answers with the status that it reads, a line each.
"""

import http.server
import json
import ssl
import sys

from standardwebhooks import Webhook, WebhookVerificationError

certificate, secrets, version = sys.argv[1:]


def verifies(secret, body, headers):
    try:
        Webhook(secret).verify(body, headers)
        return True
    except WebhookVerificationError:
        return False


class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        headers = {name.lower(): value for name, value in self.headers.items()}
        with open(secrets) as file:
            verified = [verifies(secret, body, headers) for secret in file.read().split()]
        print(json.dumps({"headers": headers, "body": body, "verified": verified}), flush=True)
        try:
            self.send_response(int(sys.stdin.readline()))
            self.send_header("content-length", "0")
            self.end_headers()
        except OSError:
            pass  # whoever asked is gone

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    def handle_error(self, *request):
        # Who breaks off is nothing to tell of.
        if not isinstance(sys.exc_info()[1], (ssl.SSLError, ConnectionError)):
            super().handle_error(*request)


server = Server(("127.0.0.1", 0), Receiver)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate)
if version:
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion[version]
    context.maximum_version = ssl.TLSVersion[version]
server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
print(server.server_address[1], flush=True)
server.serve_forever()
