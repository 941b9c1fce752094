import importlib
import importlib.resources

import pytest

import dfjax

HOMES = {
    "Detector": "dfjax.models.detector",
    "DfjaxError": "dfjax.errors",
    "Prediction": "dfjax.prediction",
    "Predictor": "dfjax.predictor",
    "VideoError": "dfjax.errors",
}


@pytest.mark.parametrize("name, home", HOMES.items())
def test_the_package_gives_the_classes_of_its_modules(name, home):
    assert getattr(dfjax, name) is getattr(importlib.import_module(home), name)


def test_the_package_gives_what_it_lists_and_nothing_else():
    assert set(dfjax.__all__) == {*HOMES, "__version__"}
    assert set(dfjax.__all__) <= set(dir(dfjax))
    with pytest.raises(AttributeError, match="no attribute 'Classifier'"):
        _ = dfjax.Classifier


def test_type_checkers_may_read_the_packages_annotations():
    assert importlib.resources.files("dfjax").joinpath("py.typed").is_file()
