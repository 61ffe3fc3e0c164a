"""Logistic regression on scikit-learn's breast-cancer data, by Newton's method with Hessian-vector products."""

import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split

from wengert import optim


def loss(params, x, y):
    """Cross-entropy of labels ±1, log(1 + exp(-y s)) without overflow, and a price for large weights."""
    scores = x @ params["weights"] + params["bias"]
    return np.mean(np.logaddexp(0.0, -y * scores)) + 0.01 * np.sum(params["weights"] ** 2)


def main():
    data = load_breast_cancer()
    x = (data.data - data.data.mean(axis=0)) / data.data.std(axis=0)
    y = 2.0 * data.target - 1.0
    x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=0.3, random_state=0)

    start = {"weights": np.zeros(x.shape[1]), "bias": 0.0}
    result = optim.minimize(loss, start, args=(x_train, y_train), method="trust-ncg", tol=1e-10)

    predicted = np.sign(x_test @ result.x["weights"] + result.x["bias"])
    accuracy = float(np.mean(predicted == y_test))
    print(f"loss {result.fun:.6f} after {result.nit} steps; {accuracy:.1%} of {len(y_test)} test cases right")
    heaviest = np.argsort(-np.abs(result.x["weights"]))[:3]
    print("what counts most:", ", ".join(data.feature_names[i] for i in heaviest))
    return {"result": result, "accuracy": accuracy, "data": (x_train, y_train)}


if __name__ == "__main__":
    main()
