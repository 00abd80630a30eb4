"""The plugin of pytest (entry point `pytest11`): expectations and gates of suites as tests, and three fixtures.

pytest loads this package in every project where the harness is installed, so this file and `options.py` import pytest
and the standard library alone; all else is imported by the first suite that is collected, or the first fixture that is
used. Nothing else of the house imports pytest.

`options.py` says what may be given. `suites.py` puts the suites of a session beside its tests, `suite_file.py` makes
items of one, `suite_run.py` runs it once, `expected.py` and `gated.py` read what the run says of an item, `said.py`
ends a test with that. `speed.py`, `quality.py` and `opened_models.py` are behind the fixtures.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.pytest_plugin.options import add_options, settings_of

if TYPE_CHECKING:
    from harness.models.contract import LanguageModel
    from harness.pytest_plugin.opened_models import OpenedModels
    from harness.pytest_plugin.quality import QualityCheck
    from harness.pytest_plugin.speed import SpeedCheck


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options, on the command line and in the ini file."""
    add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Where a suite is given, have it collected."""
    config.addinivalue_line("markers", "harness: an expectation or a gate of a suite (added by the harness)")
    settings = settings_of(config)
    if settings.suites:
        from harness.pytest_plugin.suites import Suites

        config.pluginmanager.register(Suites(config, settings), "harness-suites")


@pytest.fixture(scope="session")
def _harness_opened(pytestconfig: pytest.Config) -> OpenedModels:
    """The models of this session."""
    from harness.pytest_plugin.opened_models import OpenedModels

    return OpenedModels(settings_of(pytestconfig))


@pytest.fixture(scope="session")
def harness_model(request: pytest.FixtureRequest, _harness_opened: OpenedModels) -> OpenedModels | LanguageModel:
    """Open a model, once per session: `harness_model("asset:smollm2-135m-instruct", precision="int8")`.

    As an indirect parameter it is the model: `@pytest.mark.parametrize("harness_model", [...], indirect=True)`.
    """
    wanted = getattr(request, "param", None)
    return _harness_opened if wanted is None else _harness_opened.of_parameter(wanted)


@pytest.fixture
def harness_ab(request: pytest.FixtureRequest) -> SpeedCheck:
    """Assert that one thing is not slower than another: `harness_ab(kernels.base, kernels.head, margin=0.05)`."""
    from harness.pytest_plugin.speed import SpeedCheck

    return SpeedCheck(request.node, settings_of(request.config))


@pytest.fixture
def harness_eval(
    request: pytest.FixtureRequest, _harness_opened: OpenedModels, tmp_path_factory: pytest.TempPathFactory
) -> QualityCheck:
    """Measure a model: `harness_eval(model, task="arc_easy", documents=50).acc.at_least(0.5)`."""
    from harness.pytest_plugin.quality import QualityCheck

    return QualityCheck(request.node, settings_of(request.config), _harness_opened, tmp_path_factory.getbasetemp())
