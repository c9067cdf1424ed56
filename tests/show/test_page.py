"""The page to explore: what it carries, what it escapes, and (in a real browser) that it works."""

import base64
import html
import json
import re
import shutil

import numpy as np
import pytest

import expost as ex
from expost.instances.functions import marked_toml

EVIL = ("</script><img src=x onerror=alert(1)>", "<script>alert(2)</script>", '$x$ & "q" [red]')


@pytest.fixture(scope="module")
def run():
    return ex.solve("jmmz", grid={"p1": 4, "c1": 3, "p2": 5, "c2": 2})


@pytest.fixture(scope="module")
def evil():
    buyers = [ex.Buyer(name, [f"s{k}"], f"s{k} + 0.1*s0") for k, name in enumerate(EVIL)]
    return ex.solve(ex.Instance("</title><b>evil", buyers), grid=3)


def carried(path):
    text = path.read_text(encoding="utf-8")
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.S)[1])


def unpacked(packed, states):
    """The codes of states, by the definition of the packing: the first in the lowest bits of a byte."""
    number = int.from_bytes(base64.b64decode(packed["data"]), "little")
    return [number >> (packed["bits"] * k) & ((1 << packed["bits"]) - 1) for k in range(states)]


def test_the_page_carries_the_rule_and_the_first_best(run, tmp_path):
    data = carried(run.page(tmp_path / "page.html"))
    winners = [data["kinds"][code] for code in unpacked(data["second"], data["states"])]
    shown = [kind[0] + 1 if kind else 0 for kind in winners]
    assert shown == run.allocation.to_numpy().ravel().tolist()
    best = [data["kinds"][code] for code in unpacked(data["first"], data["states"])]
    gains = run.space.gains.reshape(2, -1)
    worth = [gains[kind[0], s] if kind else 0.0 for s, kind in enumerate(best)]
    assert np.isclose(np.mean(worth), run.first_best)
    price = np.frombuffer(base64.b64decode(data["terms"][0]["price"]), "<f4")
    assert np.allclose(price, run.prices["1"].to_numpy().ravel())


def test_pages_are_whole_and_small(run, tmp_path):
    text = run.page(tmp_path / "page.html").read_text(encoding="utf-8")
    assert not re.search(r'(?:src|href)="(?!data:)', text) and "@import" not in text and "url(" not in text
    assert f"{run.welfare:.6f}" in text and "How to cite" in text and "checks made" in text
    assert len(text) < 300_000


def test_names_stay_text_in_pages_and_cards(evil, tmp_path):
    text = evil.page(tmp_path / "page.html").read_text(encoding="utf-8") + evil._repr_html_()
    assert "<img src=x" not in text and "<script>alert" not in text and "<b>evil" not in text
    assert [own["name"] for own in carried(tmp_path / "page.html")["buyers"]] == list(EVIL)


def test_every_kind_of_result_has_a_card_and_a_page(run, tmp_path):
    results = [run, ex.compare("jmmz", 2), ex.dominate("jmmz", "t*", 3), run.verify()]
    for k, result in enumerate(results):
        card, page = result._repr_html_(), result.page(tmp_path / f"{k}.html").read_text(encoding="utf-8")
        assert card.count("<div") == card.count("</div>") and "<table" in card
        assert page.startswith("<!doctype html>") and page.rstrip().endswith("</html>")
    assert "first best" in results[0]._repr_html_() and f"{run.share:.2%}" in results[0]._repr_html_()


def test_a_run_of_too_many_states_says_so(run, tmp_path, monkeypatch):
    from expost.show import explorer

    monkeypatch.setattr(explorer, "MOST_BYTES", 10)
    text = run.page(tmp_path / "page.html").read_text(encoding="utf-8")
    assert "too many to carry" in text and 'id="map"' not in text


@pytest.fixture(scope="module")
def browser():
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    program, driver = shutil.which("chromium") or shutil.which("google-chrome"), shutil.which("chromedriver")
    if program is None or driver is None:
        pytest.skip("no Chromium with its driver here")
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for flag in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    opened = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield opened
    opened.quit()


@pytest.fixture(scope="module")
def firefox():
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    program, driver = shutil.which("firefox-esr") or shutil.which("firefox"), shutil.which("geckodriver")
    if program is None or driver is None:
        pytest.skip("no Firefox with its driver here")
    options = webdriver.FirefoxOptions()
    options.binary_location = program
    options.add_argument("-headless")
    opened = webdriver.Firefox(options=options, service=webdriver.FirefoxService(driver))
    yield opened
    opened.quit()


def test_the_page_of_a_bracket_has_the_instance_and_says_how_it_is_checked(tmp_path):
    stated = ex.load("public-rival")
    text = ex.bracket(stated, 0.05, 10).page(tmp_path / "bracket.html").read_text("utf-8")
    assert "expost verify DIR" in text
    assert html.unescape(text.split("<pre>")[1].split("</pre>")[0]) == marked_toml(stated)


@pytest.mark.slow
def test_the_page_works_in_a_second_browser(firefox, run, evil, tmp_path):
    moved = (
        "const s = document.querySelector('#sliders input'), before = document.getElementById('buyers').innerHTML;"
        "s.value = Number(s.value) ? 0 : Number(s.max); s.dispatchEvent(new Event('input'));"
        "return before !== document.getElementById('buyers').innerHTML"
    )
    fetched = (
        "return performance.getEntriesByType('resource').map(e => e.name).filter(n => !n.startsWith('data:'))"
    )
    for k, result in enumerate([run, evil, ex.compare("jmmz", 2)]):
        path = result.page(tmp_path / f"{k}.html")
        for width in (1280, 768, 500):  # its windows are no narrower
            firefox.set_window_size(width, 900)
            firefox.get(path.as_uri())
            wide, inner = firefox.execute_script("return [document.documentElement.scrollWidth, innerWidth]")
            assert wide <= inner, (k, width)
        assert firefox.execute_script(fetched) == []
        if k < 2:
            assert firefox.execute_script(moved)


def requests(browser):
    messages = (json.loads(entry["message"])["message"] for entry in browser.get_log("performance"))
    sent = (message for message in messages if message["method"] == "Network.requestWillBeSent")
    return {message["params"]["request"]["url"] for message in sent}


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_works_in_a_browser(browser, run, evil, tmp_path, scheme):
    media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    sequential = ex.solve("jmmz", grid=3, timing="sequential", first=["c1", "c2"])
    compared = ex.compare("jmmz", 2)
    for k, result in enumerate([run, evil, sequential, compared]):
        path = result.page(tmp_path / f"{k}.html")
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
        for width in (1280, 768, 360):
            size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
            browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
            browser.get(path.as_uri())
            wide = browser.execute_script("return document.documentElement.scrollWidth")
            assert wide <= width, (k, width)
        assert browser.get_log("browser") == []
        assert all(url.startswith(("file:", "data:")) for url in requests(browser))


@pytest.mark.slow
def test_sliders_axes_and_arrow_keys_move_the_picture(browser, run, tmp_path):
    from selenium.webdriver.common.keys import Keys

    browser.get(run.page(tmp_path / "page.html").as_uri())
    said = lambda: browser.find_element("id", "state-words").text  # noqa: E731
    seen = set()
    for place in range(3):
        script = (
            "const s = document.querySelector('[data-signal=c1]'); s.value = arguments[0];"
            "s.dispatchEvent(new Event('input')); return document.getElementById('map').innerHTML"
        )
        seen.add(browser.execute_script(script, place))
        state = {"p1": 1, "c1": place, "p2": 2, "c2": 0}
        winner = int(run.allocation.isel(state))
        assert ("nobody" if winner == 0 else f"buyer {winner}") + " gets it" in said()
        price = float(run.prices["1"].isel(p2=2, c2=0))
        assert f"{price:.4f}" in browser.find_element("id", "buyers").text
    assert len(seen) > 1
    browser.find_element("id", "map").send_keys(Keys.ARROW_RIGHT, Keys.ARROW_UP)
    assert f"p1 = {float(run.allocation.p1[2]):.4g}" in said()
    assert f"p2 = {float(run.allocation.p2[3]):.4g}" in said()
    browser.find_element("css selector", "#x option[value='1']").click()
    names = {
        slider.get_attribute("data-signal")
        for slider in browser.find_elements("css selector", "#sliders input")
    }
    assert names == {"p1", "c2"}
