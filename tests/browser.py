"""Chromium on pages that are files: how they look at a width, in light and in dark, and what they ask the network for."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
)  # fmt: skip
PROGRAMS = {"chromium": ("chromium", "chromium-browser", "google-chrome"), "chromedriver": ("chromedriver",)}
LIMIT_SECONDS = 120

_BEYOND = """
const width = document.documentElement.clientWidth;
const scrolls = one => one && (/(auto|scroll)/.test(getComputedStyle(one).overflowX) || scrolls(one.parentElement));
return [...document.body.querySelectorAll('*')]
  .filter(one => one.getClientRects().length && !(one instanceof SVGElement && !(one instanceof SVGSVGElement)))
  .filter(one => (one.getBoundingClientRect().right > width + 1 || one.getBoundingClientRect().left < -1)
                 && !scrolls(one.parentElement))
  .map(one => one.outerHTML.slice(0, 120));
"""
_CONTRAST = """
const channels = text => (text.match(/[\\d.]+/g) || []).map(Number);
const seen = one => { const c = channels(getComputedStyle(one).backgroundColor);
  return c.length < 4 || c[3] > 0 ? c : one.parentElement ? seen(one.parentElement) : [255, 255, 255]; };
const light = c => c.slice(0, 3).map(v => v / 255).map(v => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
  .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
const ratio = (a, b) => (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
return [...document.body.querySelectorAll('*')]
  .filter(one => one.getClientRects().length && [...one.childNodes].some(n => n.nodeType === 3 && n.data.trim()))
  .map(one => { const style = getComputedStyle(one);
    const ink = one instanceof SVGElement ? style.fill : style.color;
    return [ratio(light(channels(ink)), light(seen(one))), one.outerHTML.slice(0, 120)]; });
"""


def missing() -> str:
    """Why there is no browser to test with; empty where there is one."""
    absent = [name for name in PROGRAMS if _program(name) is None]
    return f"no {' and no '.join(absent)} on this machine (apt-get install chromium chromium-driver)" if absent else ""


def _program(name: str) -> str | None:
    return next(filter(None, map(shutil.which, PROGRAMS[name])), None)


@contextmanager
def browser(profile: Path) -> Iterator[Browser]:
    """A Chromium of its own, with an empty profile in `profile`."""
    from selenium.webdriver import Chrome, ChromeOptions
    from selenium.webdriver.chrome.service import Service

    # Selenium would ask the network for a driver, and tell it that it runs.
    os.environ.update(SE_OFFLINE="true", SE_AVOID_STATS="true")
    options = ChromeOptions()
    options.binary_location = _program("chromium") or ""
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = Chrome(options, Service(_program("chromedriver")))
    driver.set_page_load_timeout(LIMIT_SECONDS)
    try:
        yield Browser(driver)
    finally:
        driver.quit()


@dataclass(frozen=True)
class Browser:
    """One open page at a time."""

    driver: Chrome

    def open(self, file: Path, width: int, dark: bool) -> None:
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": scheme})
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        self.driver.get_log("performance")
        self.driver.get_log("browser")
        self.driver.get(file.resolve().as_uri())

    def script(self, code: str) -> Any:
        return self.driver.execute_script(code)

    def unfold(self) -> None:
        """Opens every part that is folded."""
        self.script("document.querySelectorAll('details').forEach(one => one.open = true)")

    @property
    def complaints(self) -> list[str]:
        return [entry["message"] for entry in self.driver.get_log("browser")]

    @property
    def requests(self) -> list[str]:
        """Every address that the page has asked for since it was opened."""
        events = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        return [one["params"]["request"]["url"] for one in events if one["method"] == "Network.requestWillBeSent"]

    @property
    def beyond_the_edge(self) -> list[str]:
        """What reaches out of the page to the side; what scrolls inside its own box does not."""
        wide = "return document.documentElement.scrollWidth > document.documentElement.clientWidth"
        found: list[str] = self.script(_BEYOND)
        return found or (["the page"] if self.script(wide) else [])

    def faint(self, least: float = 3.0) -> list[str]:
        """Texts that hardly differ from what is behind them."""
        return [f"{ratio:.2f} {html}" for ratio, html in self.script(_CONTRAST) if ratio < least]

    def texts(self, selector: str) -> list[str]:
        return [str(text) for text in self.script(
            f"return [...document.querySelectorAll({json.dumps(selector)})].map(one => one.textContent.trim())"
        )]  # fmt: skip

    @property
    def links(self) -> list[str]:
        """Addresses of all links, those of drawings too, as the browser resolves them."""
        return [str(link) for link in self.script(
            "return [...document.querySelectorAll('a[href], use')].map(one => new URL(one.href.baseVal ?? one.href, location).href)"
        )]  # fmt: skip

    def shot(self, file: Path) -> None:
        """A picture of the whole page."""
        height = self.script("return document.documentElement.scrollHeight")
        width = self.script("return window.innerWidth")
        clip = {"x": 0, "y": 0, "width": width, "height": min(height, 16_000), "scale": 1}
        import base64

        taken = self.driver.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True, "clip": clip})
        file.write_bytes(base64.b64decode(taken["data"]))
