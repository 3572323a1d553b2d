"""llama.cpp's own programs, on the very libraries and the processor variant that the engine runs on."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from scripts import build_llama, build_peers, environment
from scripts.benchmarks.engine.setting import BenchmarkError, default_environment

START_S = 300.0
BENCH_S = 1800.0


@dataclass(frozen=True, slots=True)
class Reply:
    """The server's answer to one completion: seconds to the first token, and the prompt tokens that it read."""

    first_token_s: float
    read: int


class Peers:
    """The folder that the programs run in."""

    def __init__(self, folder: Path, variant: str) -> None:
        """Build what is missing, and bring it together in ``folder`` with the processor ``variant`` alone.

        Raises SetUpError when it cannot be built.
        """
        wheel = build_llama.recipe(build_llama.read_pyproject(), build_llama.default_backend())
        built = build_peers.ensure_peers(wheel, uv=environment.tool("uv"), python=environment.venv_python())
        self.folder = build_peers.assemble(built, libraries(), variant, folder)

    def bench(
        self, model: Path, layout: str, threads: int, *, read: int = 0, generate: int = 0, depth: int = 0
    ) -> float:
        """Tokens a second of llama-bench: reading ``read`` tokens, or generating some, behind ``depth`` others."""
        command = [str(build_peers.program(self.folder, "llama-bench")), "-m", str(model), "-t", str(threads)]
        command += ["-p", str(read), "-n", str(generate), "-d", str(depth), "-r", "1", "-o", "json"]
        command += ["--repack", "1" if layout == "repacked" else "0"]
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=default_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=BENCH_S,
            check=False,
        )
        if done.returncode != 0:
            raise BenchmarkError(f"llama-bench ended with {done.returncode}: {done.stderr[-2000:]}")
        (result,) = json.loads(done.stdout)
        return float(result["avg_ts"])

    def server(self, model: Path, layout: str, threads: int, context: int, log: Path) -> Server:
        """A llama-server of one slot, ready to answer; use it in a ``with``."""
        return Server(self.folder, model, layout, threads, context, log)


class Server:
    """A llama-server on loopback, with its own defaults but for the model, its layout, threads and context."""

    def __init__(self, folder: Path, model: Path, layout: str, threads: int, context: int, log: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = int(probe.getsockname()[1])
        command = [str(build_peers.program(folder, "llama-server")), "-m", str(model), "-t", str(threads)]
        command += ["-c", str(context), "-np", "1", "--host", "127.0.0.1", "--port", str(self._port)]
        command += [] if layout == "repacked" else ["--no-repack"]
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                command,
                cwd=folder,
                env=default_environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        self._log = log

    def __enter__(self) -> Self:
        deadline = time.monotonic() + START_S
        while not self._healthy():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.close()
                raise BenchmarkError(f"llama-server did not start; its output is in {self._log}")
            time.sleep(0.1)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def complete(self, prompt: Sequence[int], tokens: int) -> Reply:
        """Generate so many tokens greedily behind the prompt, whatever they are."""
        body = {
            "prompt": list(prompt),
            "n_predict": tokens,
            "temperature": 0,
            "ignore_eos": True,
            "stream": True,
            "cache_prompt": True,
        }
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=BENCH_S)
        try:
            text = json.dumps(body)
            begin = time.perf_counter()
            connection.request("POST", "/completion", text, {"Content-Type": "application/json"})
            response = connection.getresponse()
            first: float | None = None
            last: dict[str, Any] = {}
            for line in response:
                if line.startswith(b"data: "):
                    first = first or time.perf_counter()
                    last = json.loads(line[6:])
        except (OSError, http.client.HTTPException) as error:
            raise BenchmarkError(f"llama-server broke off: {error}; its output is in {self._log}") from error
        finally:
            connection.close()
        if first is None or "timings" not in last:
            raise BenchmarkError(f"llama-server gave no answer: {last}; its output is in {self._log}")
        return Reply(first - begin, int(last["timings"]["prompt_n"]))

    def close(self) -> None:
        """End it."""
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _healthy(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=5)
        try:
            connection.request("GET", "/health")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


def libraries() -> Path:
    """The folder of the installed wheel's libraries."""
    import importlib.util

    spec = importlib.util.find_spec("llama_cpp")
    if spec is None or spec.origin is None:
        raise BenchmarkError("llama-cpp-python is not installed")
    return Path(spec.origin).parent / "lib"
