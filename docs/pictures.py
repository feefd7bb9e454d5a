"""Take the pictures of the README from a fresh demo:  make pictures

Starts the demo in a folder of its own, signs in as people do, and photographs what they see.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from playwright.sync_api import sync_playwright

from tests.servers import CHROMIUM_ARGS, chromium_path, free_port

HERE = Path(__file__).parent
PASSWORD = "samovar-and-tea"  # the demo prints it
PICTURES = [
    ("workspace", "daniel@samovar.example", "/inbox?list=all", "light"),
    ("wallboard", "max@samovar.example", "/wallboard", "dark"),
    ("portal", "", "/", "light"),
]


def main() -> None:
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryDirectory(prefix="pictures") as folder:
        environ = {**os.environ, "HELPDESK_DATA": folder + "/demo", "MAIL_LISTEN": f"127.0.0.1:{free_port()}"}
        demo = subprocess.Popen([sys.executable, "-m", "helpdesk", "demo", "--traffic", "--port", str(port)], env=environ)
        try:
            wait_for(base)
            time.sleep(20)  # let the traffic move the screens a little
            take(base)
        finally:
            demo.terminate()
            demo.wait(10)


def wait_for(base: str) -> None:
    until = time.monotonic() + 180
    while time.monotonic() < until:
        with suppress(OSError), urllib.request.urlopen(base + "/healthz", timeout=2):
            return
        time.sleep(0.5)
    raise SystemExit("the demo did not come up")


def take(base: str) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=CHROMIUM_ARGS)
        for name, person, path, theme in PICTURES:
            context = browser.new_context(viewport={"width": 1440, "height": 900}, locale="en-US", color_scheme=theme)  # type: ignore[arg-type]
            page = context.new_page()
            if person:
                sign_in(page, base, person)
            page.goto(base + path)
            page.wait_for_timeout(2500)
            if name == "workspace":
                page.click("#list li:nth-child(3) a")
                page.wait_for_timeout(1500)
            page.screenshot(path=str(HERE / f"{name}.png"))
            context.close()
        browser.close()


def sign_in(page: Any, base: str, person: str) -> None:
    page.goto(base + "/sign-in")
    page.fill("[name=email]", person)
    page.fill("[name=password]", PASSWORD)
    page.click("main form button[type=submit]")
    page.wait_for_timeout(1500)


if __name__ == "__main__":
    main()
