"""Serves the demo page from an origin of its own, under a strict policy: `python docs/embedding/serve.py --help`.

With `--up` it also starts the platform, which lets this page in and anybody sign up. `make demo` does that.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

HOME = Path(__file__).resolve().parent / "demo"
PLACEHOLDER = 'content="http://127.0.0.1:2200"'
STOP_SECONDS = 30


def policy(platform: str) -> str:
    """What a page has to allow so that widgets of this platform work in it, and nothing else."""
    return (
        f"default-src 'none'; script-src 'self' {platform}; style-src 'self'; connect-src {platform}; "
        "img-src data: blob:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; "
        "trusted-types svelte-trusted-html"
    )


class Page(SimpleHTTPRequestHandler):
    """The files of the demo, with the platform's address in the page."""

    def __init__(self, *given: object, platform: str) -> None:
        self._platform = platform
        super().__init__(*given, directory=str(HOME))  # type: ignore[arg-type]  # what the server hands over

    def end_headers(self) -> None:
        self.send_header("Content-Security-Policy", policy(self._platform))
        self.send_header("Cache-Control", "no-store")
        super().end_headers()

    def do_GET(self) -> None:
        if self.path.partition("?")[0] != "/":
            return super().do_GET()
        text = (HOME / "index.html").read_text().replace(PLACEHOLDER, f'content="{self._platform}"').encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *given: object) -> None:
        pass


def main() -> None:
    parser = argparse.ArgumentParser(description="Serves the demo page from an origin of its own.")
    parser.add_argument("--platform", default="http://127.0.0.1:2200", help="where the platform answers")
    parser.add_argument("--port", type=int, default=2280, help="where this page answers")
    parser.add_argument("--up", action="store_true", help="start the platform too, with sign-up open")
    given = parser.parse_args()
    origin = f"http://127.0.0.1:{given.port}"
    server = ThreadingHTTPServer(("127.0.0.1", given.port), partial(Page, platform=given.platform.rstrip("/")))
    child = _up(origin) if given.up else None
    sys.stdout.write(f"The demo page: {origin}/  (?user=bob is somebody else)\n")
    sys.stdout.flush()
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass
    finally:
        server.server_close()
        if child is not None:
            child.terminate()
            child.wait(STOP_SECONDS)


def _up(origin: str) -> subprocess.Popen[bytes]:
    """The platform in a process of its own, which lets pages of this origin in."""
    command = shutil.which("headrace", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    if command is None:
        sys.exit("There is no command 'headrace' here. Run `make setup` first.")
    return subprocess.Popen(
        [command, "up"], env={**os.environ, "HEADRACE_SIGN_UP": "open", "HEADRACE_CORS_ORIGINS": origin}
    )


if __name__ == "__main__":
    main()
