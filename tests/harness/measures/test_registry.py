"""The registry: complete, consistent, and free of heavy imports."""

import subprocess
import sys

import pytest

from harness.errors import UserError
from harness.measures.registry import MEASURES, metric


def test_importing_it_is_light() -> None:
    program = (
        "import sys, harness.measures.registry as r, harness.results.fingerprint as f, harness.models.open;"
        "f.fingerprint();"
        "print([m for m in ('torch', 'transformers', 'pandas', 'scipy', 'pyarrow') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_metrics_are_found_by_name_and_by_id() -> None:
    assert metric("tpot").unit == "ms"
    assert metric("tpot@1") is metric("tpot")
    with pytest.raises(UserError, match="no metric is called 'speed'; there are best_validation_loss, bits_per_byte"):
        metric("speed")


def test_no_two_measures_declare_the_same_name() -> None:
    names = [declared.name for measure in MEASURES.values() for declared in measure.metrics]
    assert len(names) == len(set(names))


def test_every_setting_has_a_default_or_is_asked_for() -> None:
    assert {
        name: [f for f, i in m.settings.model_fields.items() if i.is_required()] for name, m in MEASURES.items()
    } == {
        "perplexity": ["text"],
        "fidelity": ["text"],
        "inference": [],
        "memory": [],
        "diversity": ["text"],
        "kv_cache": [],
        "training": [],
        "training_speed": [],
        "activations": ["text"],
    }
    with pytest.raises(ValueError, match="iteration"):
        MEASURES["inference"].settings.model_validate({"iteration": 3})
