"""The tools whose files are read, as data: one file each."""

from harness.interchange.content import Format
from harness.interchange.formats.asv import ASV
from harness.interchange.formats.google_benchmark import GOOGLE_BENCHMARK
from harness.interchange.formats.hyperfine import HYPERFINE
from harness.interchange.formats.inspect_log import INSPECT
from harness.interchange.formats.llama_bench import LLAMA_BENCH
from harness.interchange.formats.lm_eval import LM_EVAL
from harness.interchange.formats.optimum_benchmark import OPTIMUM_BENCHMARK
from harness.interchange.formats.pyperf import PYPERF
from harness.interchange.formats.pytest_benchmark import PYTEST_BENCHMARK

FORMATS: tuple[Format, ...] = (
    PYTEST_BENCHMARK,
    GOOGLE_BENCHMARK,
    LLAMA_BENCH,
    ASV,
    PYPERF,
    HYPERFINE,
    LM_EVAL,
    INSPECT,
    OPTIMUM_BENCHMARK,
)
"""A new tool is one file and one line here."""
