"""llama.cpp's llama-bench: `-o json` and `-o jsonl`.

A test of a file was repeated in one process, so that its repetitions are one launch, also where lines of several
invocations were appended to one file: nothing in it tells them apart. The rate is the mean over repetitions of tokens
over seconds, made of `samples_ns` (llama-bench.cpp, `get_ts` and `avg_ts`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

from pydantic import Field

from harness.errors import UserError
from harness.interchange.content import Benchmark, Content, Format, Launch
from harness.interchange.foreign_file import ForeignFile
from harness.interchange.foreign_model import Count, Foreign, place_in, read_as
from harness.interchange.machine import gpus_named
from harness.interchange.names import text_of, utc
from harness.measures.other_tools import GENERATION_RATE, MIXED_RATE, PROMPT_RATE

NAME = "llama-bench"
Tokens = Annotated[int, Field(ge=0, lt=1 << 53)]

DEFAULTS: dict[str, Any] = {
    **{"n_batch": 2048, "n_ubatch": 512, "type_k": "f16", "type_v": "f16", "poll": 50, "cpu_mask": "0x0"},
    **{"split_mode": "layer", "tensor_split": "0.00", "tensor_buft_overrides": "none", "devices": "auto"},
    **{"use_mmap": True, "n_gpu_layers": -1},
}
"""Of its options: what has its default is left out, so that a version with one more option asks for the same test.
Options that are not here are left out where they are off, 0 or empty."""

_NO_OPTIONS = {
    *("build_commit", "build_number", "cpu_info", "gpu_info", "backends", "test_time"),
    *("model_filename", "model_type", "model_size", "model_n_params", "n_prompt", "n_gen", "n_depth", "n_threads"),
    *("avg_ns", "stddev_ns", "avg_ts", "stddev_ts", "samples_ns", "samples_ts"),
    *("cuda", "opencl", "vulkan", "kompute", "metal", "sycl", "rpc", "gpu_blas", "blas"),
}
"""Keys of what was measured, of the build and of the machine."""


class Test(Foreign):
    """One test."""

    build_commit: str = ""
    build_number: int | None = None
    cpu_info: str = ""
    gpu_info: str = ""
    backends: str = ""
    model_filename: str
    model_type: str = ""
    model_size: Count | None = None
    model_n_params: Count | None = None
    n_threads: Tokens | None = None
    n_prompt: Tokens
    n_gen: Tokens
    n_depth: Tokens = 0
    test_time: str | None = None
    avg_ns: Annotated[float, Field(gt=0, lt=1e18)]
    samples_ns: list[Annotated[int, Field(gt=0, lt=1 << 63)]] | None = None

    @property
    def model(self) -> str:
        """The file's name without its folder, on either kind of system."""
        return text_of(
            self.model_filename.replace("\\", "/").rpartition("/")[2].removesuffix(".gguf") or self.model_type
        )

    @property
    def label(self) -> str:
        """As llama-bench's own table calls the test."""
        if not self.n_gen:
            return f"pp{self.n_prompt}"
        return f"tg{self.n_gen}" if not self.n_prompt else f"pp{self.n_prompt}+tg{self.n_gen}"


def is_mine(file: ForeignFile) -> bool:
    """Whether it lists tests."""
    if file.is_archive:
        return False
    tests = file.json if isinstance(file.json, list) else [file.json]
    first = tests[0] if tests else None
    return isinstance(first, dict) and {"n_prompt", "n_gen", "avg_ts"} <= first.keys()


def read(files: Sequence[ForeignFile]) -> list[Content]:
    """A content for each file. Raises UserError."""
    return [_content(file) for file in files]


def _content(file: ForeignFile) -> Content:
    given = file.json if isinstance(file.json, list) else [file.json]
    tests = [
        (read_as(Test, one, file.name, at=(place,)), one, place_in(file.name, (place,)))
        for place, one in enumerate(given)
    ]
    if not tests:
        raise UserError("the list of tests is empty", place=file.name)
    first = tests[0][0]
    for test, _, place in tests:
        for what in ("cpu_info", "gpu_info", "build_commit"):
            if (mine := getattr(test, what)) != (theirs := getattr(first, what)):
                raise UserError(
                    f"{what} is {text_of(mine, 60)!r} here and {text_of(theirs, 60)!r} in the first test: import tests "
                    "of two machines or builds apart",
                    place=place,
                )
    times = [time for test, _, _ in tests if (time := utc(test.test_time))]
    build = f" {first.build_number}" if first.build_number is not None else ""
    build += f" ({text_of(first.build_commit, 40)})" if first.build_commit else ""
    return Content(
        f"{NAME}{build}",
        (file,),
        list(_benchmarks(tests)),
        min(times) if times else None,
        {
            "cpu_model": first.cpu_info,
            "gpus": gpus_named(first.gpu_info),
            "packages": {"llama.cpp": f"{build.strip()}", "backends": first.backends},
        },
        models={test.model: _facts(test) for test, _, _ in tests},
    )


def _facts(test: Test) -> dict[str, Any]:
    told = {"type": test.model_type, "bytes": test.model_size, "parameters": test.model_n_params}
    return {"kind": "gguf", **{name: value for name, value in told.items() if value not in (None, "")}}


def _benchmarks(tests: Sequence[tuple[Test, Mapping[str, Any], str]]) -> Iterator[Benchmark]:
    """A benchmark for each test; those with the same options are one."""
    groups: dict[str, list[tuple[Test, dict[str, Any], str]]] = {}
    for test, given, place in tests:
        options = {"test": test.label, "depth": test.n_depth, **_options(given)}
        groups.setdefault(repr((test.model, test.n_threads, sorted(options.items(), key=repr))), []).append(
            (test, options, place)
        )
    for group in groups.values():
        first, options, place = group[0]
        rows = [row for test, _, _ in group for row in _rows(test)]
        metric = PROMPT_RATE if not first.n_gen else GENERATION_RATE if not first.n_prompt else MIXED_RATE
        rate = sum(row["tokens_per_second"] for row in rows) / len(rows)
        note = f"{len(group)} entries of one file with the same options count as one launch"
        yield Benchmark(
            measure=NAME,
            model=first.model,
            place=place,
            settings=options,
            axes={} if first.n_threads is None else {"threads": first.n_threads},
            metrics=(metric,),
            launches=(Launch({metric.name: rate}, [{"round": at, **row} for at, row in enumerate(rows)]),),
            notes=(note,) if len(group) > 1 else (),
            parameters=first.model_n_params,
            measured=utc(first.test_time),
        )


def _options(given: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value
        for name, value in given.items()
        if name not in _NO_OPTIONS and value != DEFAULTS.get(name) and (name in DEFAULTS or value not in (0, "", None))
    }


def _rows(test: Test) -> list[dict[str, float]]:
    tokens = test.n_prompt + test.n_gen
    times: Sequence[float] = test.samples_ns or [test.avg_ns]
    return [{"seconds": nanoseconds / 1e9, "tokens_per_second": 1e9 * tokens / nanoseconds} for nanoseconds in times]


LLAMA_BENCH = Format(NAME, "JSON or JSON Lines of -o json, -o jsonl", is_mine, read)
