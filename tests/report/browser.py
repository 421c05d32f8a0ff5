"""A headless browser, driven through its own protocol."""

import asyncio
import itertools
import json
import shutil
import subprocess
import tempfile
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")


class Tab:
    """A page that is open."""

    def __init__(self, socket):
        self._socket = socket
        self._numbers = itertools.count(1)

    async def send(self, method, **parameters):
        number = next(self._numbers)
        await self._socket.send_json({"id": number, "method": method, "params": parameters})
        while True:
            answer = await self._socket.receive_json()
            if answer.get("id") == number:
                assert "error" not in answer, answer
                return answer["result"]

    async def open(self, path):
        await self.send("Page.navigate", url=f"file://{path}")
        while await self.value("document.readyState") != "complete":  # noqa: ASYNC110
            await asyncio.sleep(0.05)

    async def value(self, expression):
        result = await self.send("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    async def press(self, key):
        text = {"text": key} if len(key) == 1 else {}
        await self.send("Input.dispatchKeyEvent", type="keyDown", key=key, **text)
        await self.send("Input.dispatchKeyEvent", type="keyUp", key=key)

    async def write(self, text):
        await self.send("Input.insertText", text=text)


@asynccontextmanager
async def browser(downloads):
    """A tab of a new browser that saves files in a folder."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "about:blank"]
        command += [f"--user-data-dir={profile}", "--remote-debugging-port=0"]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        process = subprocess.Popen(command, **quiet)  # noqa: ASYNC220 - it returns at once
        try:
            file = Path(profile) / "DevToolsActivePort"
            while not (file.exists() and file.read_text().count("\n")):
                assert process.poll() is None
                await asyncio.sleep(0.05)
            address = f"http://127.0.0.1:{file.read_text().split()[0]}"
            async with aiohttp.ClientSession() as session:
                async with session.get(f"{address}/json") as answer:
                    pages = json.loads(await answer.text())
                page = next(each for each in pages if each["type"] == "page")
                async with session.ws_connect(page["webSocketDebuggerUrl"], max_msg_size=0) as ws:
                    tab = Tab(ws)
                    path = str(downloads)
                    await tab.send("Page.setDownloadBehavior", behavior="allow", downloadPath=path)
                    yield tab
        finally:
            process.kill()
            process.wait()
