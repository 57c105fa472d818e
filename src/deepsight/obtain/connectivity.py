"""A quick check whether a host can be reached."""

from queue import Empty, Queue
from threading import Thread
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from deepsight.core.errors import first_line
from deepsight.obtain.sources import SourceError

CONNECT_SECONDS = 3.0


def require_answer(url: str) -> int:
    """The HTTP status of a HEAD request.

    Download libraries may wait for minutes; this takes seconds. The request runs on its own thread, because a
    name service that hangs ignores time-outs.

    Raises:
        SourceError: no connection within 3 s, or no answer within 6 s.
    """
    answers: Queue[int | OSError] = Queue()
    Thread(target=lambda: answers.put(http_status(url)), daemon=True).start()
    try:
        answer = answers.get(timeout=2 * CONNECT_SECONDS)
    except Empty as error:
        raise SourceError(f"{url} did not answer within {2 * CONNECT_SECONDS:.0f} s") from error
    if isinstance(answer, OSError):
        raise SourceError(f"{url} cannot be reached ({first_line(answer)})") from answer
    return answer


def http_status(url: str) -> int | OSError:
    """The status of the response, or the error if there is none."""
    try:
        with urlopen(Request(url, method="HEAD"), timeout=CONNECT_SECONDS) as answer:
            return int(answer.status)
    except HTTPError as error:
        return error.code
    except OSError as error:
        return error
