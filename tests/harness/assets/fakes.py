"""Small distributions and a small server, so that assets are fetched for real without any network."""

from __future__ import annotations

import hashlib
import io
import tarfile
import threading
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from harness.assets.declaration import Archive, Asset, Part, PyPI, Url

TEXT = b"Twas brillig, and the slithy toves\n" * 2000


def wheel(folder: Path, name: str = "fake_asset", content: bytes = TEXT) -> Path:
    """A wheel that holds one text, and code that must not be imported."""
    path = folder / f"{name}-1.0-py3-none-any.whl"
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(f"{name}/__init__.py", "raise SystemExit('imported')")
        file.writestr(f"{name}/data/poem.txt", content)
        file.writestr(f"{name}-1.0.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        file.writestr(f"{name}-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr(f"{name}-1.0.dist-info/RECORD", "")
    return path


def sdist(folder: Path, marker: Path, name: str = "fake_source") -> Path:
    """A source distribution with two texts whose setup.py, if it ran, would leave `marker`."""
    path = folder / f"{name}-1.0.tar.gz"
    folder.mkdir(parents=True, exist_ok=True)
    files = {
        "PKG-INFO": f"Metadata-Version: 1.0\nName: {name}\nVersion: 1.0\n".encode(),
        "setup.py": f"import pathlib; pathlib.Path({str(marker)!r}).touch()".encode(),
        "texts/a_gut.txt": TEXT,
        "texts/b_gut.txt": TEXT[:100],
        "texts/other.txt": b"not wanted",
    }
    with tarfile.open(path, "w:gz") as tar:
        for inside, content in files.items():
            info = tarfile.TarInfo(f"{name}-1.0/{inside}")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def archive_of(path: Path) -> Archive:
    return Archive(hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_size)


def poem(content: bytes = TEXT, pattern: str = "fake_asset/data/poem.txt") -> Part:
    return Part(pattern, len(content), hashlib.sha256(content).hexdigest())


def wheel_asset(path: Path, name: str = "fake") -> Asset:
    return Asset(
        name=name,
        kind="text",
        about="A fake.",
        license="none",
        address=PyPI("fake-asset", "1.0", "wheel"),
        archive=archive_of(path),
        parts=(poem(),),
    )


def url_asset(path: Path, url: str) -> Asset:
    return Asset("fake", "text", "A fake.", "none", Url(f"{url}/{path.name}"), archive_of(path), (poem(),))


class Server(ThreadingHTTPServer):
    """Serves the files of a folder and a simple index of them, as slowly as it is told, and remembers the requests."""

    folder: Path
    seconds_per_piece = 0.0
    """Pause after each 8 KiB."""
    ranges = True
    failures: list[int]
    """What goes wrong with the next requests for files: a status such as 503, or after so many bytes (given as a number
    below 0) the connection is closed."""
    asked: list[tuple[str, str | None]]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def files_asked(self) -> list[tuple[str, str | None]]:
        return [request for request in self.asked if not request[0].endswith("/")]


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.server.asked.append((self.path, wanted))
        name = self.path.strip("/").rpartition("/")[2]
        file = self.server.folder / name
        if self.path.startswith("/simple/"):
            links = "".join(f'<a href="/{path.name}">{path.name}</a>' for path in self.server.folder.iterdir())
            self._send(200, f"<!DOCTYPE html><html><body>{links}</body></html>".encode(), "text/html")
        elif self.server.failures and self.server.failures[0] > 0:
            self._send(self.server.failures.pop(0), b"busy", "text/plain")
        elif not file.is_file():
            self._send(404, b"no such file", "text/plain")
        elif wanted and self.server.ranges:
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
            self._send(206, file.read_bytes()[start:], "application/octet-stream")
        else:
            self._send(200, file.read_bytes(), "application/octet-stream")

    def _send(self, status: int, content: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if status < 300 and self.server.failures:
            content = content[: -self.server.failures.pop(0)]
            self.close_connection = True
        try:
            for start in range(0, len(content), 8192):
                self.wfile.write(content[start : start + 8192])
                self.wfile.flush()
                if kind == "application/octet-stream":
                    time.sleep(self.server.seconds_per_piece)
        except OSError:  # the client was killed
            pass

    def log_message(self, *args: object) -> None:
        pass


@contextmanager
def serving(folder: Path) -> Iterator[Server]:
    server = Server(("127.0.0.1", 0), _Handler)
    server.folder, server.asked, server.failures = folder, [], []
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
