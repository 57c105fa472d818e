"""Whether a host can be reached, against servers on this machine."""

import socket
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer
from threading import Event, Thread

import pytest

from deepsight.obtain import connectivity
from deepsight.obtain.sources import SourceError


class Answers(BaseHTTPRequestHandler):
    """Knows one page."""

    def do_HEAD(self):
        self.send_response(200 if self.path == "/there" else 404)
        self.end_headers()

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server():
    # Not an HTTPServer, which asks the name service for this machine's name.
    with TCPServer(("127.0.0.1", 0), Answers) as there:
        Thread(target=there.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{there.server_address[1]}"
        there.shutdown()


@pytest.mark.slow
def test_an_answer_is_an_answer_whatever_it_says(server):
    assert connectivity.require_answer(f"{server}/there") == 200
    assert connectivity.require_answer(f"{server}/absent") == 404


def test_a_host_that_refuses_is_a_reason():
    with pytest.raises(SourceError, match="cannot be reached"):
        connectivity.require_answer("http://127.0.0.1:9/")


def test_a_host_that_never_answers_is_given_up(monkeypatch):
    monkeypatch.setattr(connectivity, "CONNECT_SECONDS", 0.1)
    with (
        socket.create_server(("127.0.0.1", 0)) as mute,
        pytest.raises(SourceError, match=r"cannot be reached .*timed out"),
    ):
        connectivity.require_answer(f"http://127.0.0.1:{mute.getsockname()[1]}/")


def test_a_name_service_that_hangs_is_given_up(monkeypatch):
    released = Event()

    def hang(*arguments, timeout):
        released.wait(60)
        raise OSError("too late")

    monkeypatch.setattr(connectivity, "CONNECT_SECONDS", 0.1)
    monkeypatch.setattr(connectivity, "urlopen", hang)
    with pytest.raises(SourceError, match="did not answer within"):
        connectivity.require_answer("http://somewhere/")
    released.set()
