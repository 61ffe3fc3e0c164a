"""Every example runs and computes what it says: its results against closed forms and independent computations."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from scipy.linalg import cho_factor, cho_solve

EXAMPLES = Path(__file__).parent.parent / "examples"


def load(name):
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_each_example_has_a_test():
    tested = {name.removeprefix("test_") for name in globals() if name.startswith("test_")}
    assert {path.stem for path in EXAMPLES.glob("*.py")} <= tested


def test_linear_regression(capsys):
    result = load("linear_regression").main()
    x, y = result["data"]
    design = np.column_stack([x, np.ones(len(y))])
    solution, (residual,), *_ = np.linalg.lstsq(design, y)
    np.testing.assert_allclose(result["params"]["slopes"], solution[:3], rtol=1e-8)
    assert result["params"]["intercept"] == pytest.approx(solution[3], rel=1e-8)
    errors = np.sqrt(residual / (len(y) - 4) * np.diag(np.linalg.inv(design.T @ design)))
    np.testing.assert_allclose(result["errors"]["slopes"], errors[:3], rtol=1e-8)
    assert "slopes" in capsys.readouterr().out


def test_logistic_regression():
    result = load("logistic_regression").main()
    x, y = result["data"]
    assert result["accuracy"] > 0.96
    params = result["result"].x
    pull = -y / (1 + np.exp(y * (x @ params["weights"] + params["bias"]))) / len(y)
    np.testing.assert_allclose(x.T @ pull + 0.02 * params["weights"], 0, atol=1e-7)
    assert np.sum(pull) == pytest.approx(0, abs=1e-7)


def test_rosenbrock():
    results = load("rosenbrock").main()
    for method, result in results.items():
        np.testing.assert_allclose(result.x, 1.0, atol=1e-5, err_msg=method)
    assert results["trust-exact"].nit < results["BFGS"].nit


def test_lotka_volterra():
    module = load("lotka_volterra")
    result = module.main()
    np.testing.assert_allclose(result["fitted"], result["truth"], rtol=0.1)
    assert result["result"].optimality < 1e-5
    states = module.solve(result["truth"])
    growth, predation, death, conversion = result["truth"][:4]
    prey, predators = states.T
    invariant = conversion * prey - death * np.log(prey) + predation * predators - growth * np.log(predators)
    np.testing.assert_allclose(invariant, invariant[0], rtol=1e-4)


def test_gaussian_process():
    module = load("gaussian_process")
    result = module.main()
    x, y = result["data"]
    assert result["found"]["noise"] == pytest.approx(0.1, rel=0.3)
    np.testing.assert_allclose(result["mean"], np.sin(2 * result["new"]), atol=4 * np.max(result["deviation"]))
    log_params = {k: np.log(v) for k, v in result["found"].items()}
    covariance = module.kernel(log_params, x, x) + np.exp(2 * log_params["noise"]) * np.eye(len(x))
    weights = cho_solve(cho_factor(covariance), y)
    np.testing.assert_allclose(module.kernel(log_params, result["new"], x) @ weights, result["mean"], rtol=1e-8)
    likelihood = 0.5 * (y @ weights + np.linalg.slogdet(2 * np.pi * covariance)[1])
    assert module.negative_log_likelihood(log_params, x, y) == pytest.approx(likelihood, rel=1e-10)
    for name in log_params:
        for side in (-0.05, 0.05):
            assert module.negative_log_likelihood({**log_params, name: log_params[name] + side}, x, y) > likelihood


def test_fixed_point():
    result = load("fixed_point").main()
    assert result["difference"] < 1e-14
    assert np.linalg.norm(result["by_rule"]["weights"]) > 0.1


def test_hamiltonian_monte_carlo():
    module = load("hamiltonian_monte_carlo")
    result = module.main(samples=1000)
    assert result["acceptance"] > 0.9
    np.testing.assert_allclose(result["mean"], module.MEAN, atol=0.2)
    np.testing.assert_allclose(result["covariance"], module.COVARIANCE, atol=0.35)
    x, momentum = np.array([0.3, 1.0]), np.array([-1.0, 0.5])
    force = lambda x: -module.PRECISION @ (x - module.MEAN)
    new, end = module.leapfrog(x, momentum, force)
    back, start = module.leapfrog(new, -end, force)
    np.testing.assert_allclose(back, x, atol=1e-12)
    np.testing.assert_allclose(-start, momentum, atol=1e-12)


def test_dual_numbers():
    result = load("dual_numbers").main()
    assert result["slope"] == pytest.approx(result["by_hand"], rel=1e-13)
    h = 1e-4
    f = load("dual_numbers").f
    assert result["second"] == pytest.approx((f(2 + h) - 2 * f(2.0) + f(2 - h)) / h**2, rel=1e-5)
    assert np.cos(result["root"]) == pytest.approx(result["root"], rel=1e-15)


def test_two_layer_network():
    result = load("two_layer_network").main(steps=600)
    assert result["accuracy"] > 0.99
    assert result["losses"][-1] < 0.05 * result["losses"][0]
