"""Compiled programs next to hand-written C, JAX, CasADi and PyTorch: calls, loops, networks, Jacobians, compile times.

    python benchmarks/compiled.py [--write] [--rounds N] [--quick] [--threads N]

Without --threads it runs itself in two fresh processes, with one thread and with two, because most libraries read their
number of threads once. In each, the tools take turns within each round, so that a slow moment of the machine hits all;
a figure is the median over the rounds. Before a tool is timed its numbers are compared with Wengert's. Tools that are
not installed are left out; so is C without gcc. --write puts the tables into benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import functools
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from side_by_side import Call, Case, Goal, Results, goals_table, limit_threads, measure, store, times_table, versions

HERE = pathlib.Path(__file__).parent


class Sizes(NamedTuple):
    """How large the cases are."""

    loops: tuple[int, ...] = (1_000, 1_000_000)
    batches: tuple[int, ...] = (32, 1024)
    hessian: int = 100
    product: int = 10_000
    chain: int = 1_000
    observations: int = 100_000


QUICK = Sizes((100,), (4,), 12, 50, 20, 20)


# Functions, in the array namespace `m` of each tool -------------------------------------------------------------------


def sum_of_squares(m: Any, x: Any) -> Any:
    return m.sum(x**2)


def elementwise(m: Any, x: Any) -> Any:
    return m.sum(m.tanh(x) * m.exp(-(x**2)) + m.log1p(x**2))


def rosenbrock(m: Any, x: Any) -> Any:
    return m.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)


def network(m: Any, logsumexp: Callable[[Any, int], Any], parameters: Any, x: Any, y: Any) -> Any:
    """Softmax cross-entropy of two layers."""
    w1, b1, w2, b2 = parameters
    z = m.tanh(x @ w1 + b1) @ w2 + b2
    return m.mean(logsumexp(z, 1) - m.sum(y * z, 1))


def project(m: Any, camera: Any, point: Any, weight: Any) -> Any:
    """Image of a point under a pinhole camera with radial distortion; rotation by Rodrigues' formula."""
    r, centre, focal, principal, k = camera[:3], camera[3:6], camera[6], camera[7:9], camera[9:11]
    u = point - centre
    angle = m.sqrt(m.sum(r * r))
    cos, sin, axis = m.cos(angle), m.sin(angle), r / angle
    turned = m.stack(
        [axis[1] * u[2] - axis[2] * u[1], axis[2] * u[0] - axis[0] * u[2], axis[0] * u[1] - axis[1] * u[0]]
    )
    y = u * cos + turned * sin + axis * (m.sum(axis * u) * (1.0 - cos))
    p = y[:2] / y[2]
    s = m.sum(p * p)
    return weight * (p * (1.0 + k[0] * s + k[1] * s * s) * focal + principal)


def scalar_chain(sin: Callable[[Any], Any], n: int, x: Any) -> Any:
    """n operations on numbers: two thirds arithmetic, one third sines."""
    for _ in range(n // 3):
        y = sin(x)
        x = y * x - y
    return x


# Data -----------------------------------------------------------------------------------------------------------------


def network_data(batch: int) -> tuple[Any, Any, Any]:
    import numpy as np

    rng = np.random.default_rng(0)
    shapes = ((784, 64), (64,), (64, 10), (10,))
    parameters = tuple(rng.normal(size=s) * 0.05 for s in shapes)
    return parameters, rng.normal(size=(batch, 784)), np.eye(10)[rng.integers(0, 10, batch)]


def observations(count: int) -> tuple[Any, Any, Any]:
    import numpy as np

    rng = np.random.default_rng(0)
    cameras = rng.normal(size=(count, 11)) * 0.1 + 0.5
    return cameras, rng.normal(size=(count, 3)) + np.array([0.0, 0.0, 5.0]), rng.normal(size=count)


# Cases ----------------------------------------------------------------------------------------------------------------


class Tools:
    """What is installed."""

    def __init__(self, threads: int, directory: str) -> None:
        self.directory = directory
        self.gcc = shutil.which("gcc")
        self.jax = self.torch = self.casadi = None
        with contextlib.suppress(ImportError):
            import jax

            jax.config.update("jax_enable_x64", True)
            self.jax = jax
        with contextlib.suppress(ImportError):
            import torch

            torch.set_num_threads(threads)
            self.torch = torch
        with contextlib.suppress(ImportError):
            import casadi

            self.casadi = casadi

    def c(
        self, source: str, name: str, n: int, ins: Sequence[Any], outs: Sequence[tuple[int, ...]], flags: str = ""
    ) -> Call | None:
        """A function of benchmarks/c, called as compiled programs are: an object with the same entry as `__call__`."""
        import numpy as np

        from wengert.compiler.entry import make_entry
        from wengert.core.values import ArrayType

        if self.gcc is None:
            return None
        library = pathlib.Path(self.directory) / f"{source}{n}{flags}.so"
        if not library.exists():
            command = [self.gcc, "-O3", "-march=native", *flags.split(), f"-DN={n}", "-shared", "-fPIC"]
            subprocess.run([*command, str(HERE / "c" / f"{source}.c"), "-o", str(library), "-lmvec", "-lm"], check=True)
        loaded = ctypes.CDLL(str(library))
        address = ctypes.cast(getattr(loaded, name), ctypes.c_void_p).value
        assert address is not None
        in_types = [ArrayType(x.shape, x.dtype) for x in ins]
        out_types = [ArrayType(shape, np.dtype(float)) for shape in outs]
        entry = make_entry(address, in_types, out_types, name=name, keep_alive=loaded)
        return Call(type(name, (), {"__call__": staticmethod(entry)})(), tuple(ins))

    def casadi_call(self, function: Any, *ins: Any, gcc: bool = False) -> Call:
        """A CasADi function on memory that it is given once: its fastest interface."""
        import numpy as np

        if gcc:
            options = {"jit": True, "jit_cleanup": False, "compiler": "shell"}
            options["jit_options"] = {"flags": ["-O3", "-march=native"], "cleanup": False}
            with inside(self.directory):
                function = self.casadi.Function("f", function.sx_in(), [function(*function.sx_in())], options)
        arguments = [np.ascontiguousarray(x) for x in ins]
        values = np.empty(function.nnz_out(0))
        buffer, trigger = function.buffer()
        for i, x in enumerate(arguments):
            buffer.set_arg(i, memoryview(x))
        buffer.set_res(0, memoryview(values))
        kept = (function, buffer, arguments)

        def dense() -> Any:
            assert kept
            shape = function.size_out(0)
            out = np.array(self.casadi.DM(function.sparsity_out(0), values))
            return out[:, 0] if shape[1] == 1 else out

        return Call(trigger, (), "", dense)


@contextlib.contextmanager
def inside(directory: str) -> Iterator[None]:
    """Work in another directory: CasADi leaves the code that it generates in the current one."""
    before = os.getcwd()
    os.chdir(directory)
    try:
        yield
    finally:
        os.chdir(before)


def torch_gradient(torch: Any, function: Callable[[Any], Any], value: bool = False) -> Callable[[Any], Any]:
    def call(x: Any) -> Any:
        leaf = x.detach().requires_grad_()
        out = function(leaf)
        (gradient,) = torch.autograd.grad(out, leaf)
        return (out.detach(), gradient) if value else gradient

    return call


def call_cases(tools: Tools, sizes: Sizes) -> dict[str, Case]:
    """Goal 1: what a call costs."""
    import numpy as np

    import wengert
    from wengert import jit

    x = np.linspace(0.1, 1.0, 10)
    case: Case = {"Wengert": Call(jit(wengert.grad(functools.partial(sum_of_squares, np))), (x,))}
    if tools.jax:
        jax = tools.jax
        gradient = jax.jit(jax.grad(functools.partial(sum_of_squares, jax.numpy)))
        case["JAX"] = Call(gradient, (jax.numpy.asarray(x),), ".block_until_ready()")
    if tools.torch:
        torch = tools.torch
        gradient = torch_gradient(torch, functools.partial(sum_of_squares, torch))
        case["PyTorch"] = Call(gradient, (torch.tensor(x),))
    return {"gradient of sum(x**2), n = 10": case}


def elementwise_cases(tools: Tools, sizes: Sizes) -> dict[str, Case]:
    """Goal 2: one fused loop."""
    import numpy as np

    import wengert
    from wengert import jit

    cases: dict[str, Case] = {}
    for n in sizes.loops:
        x = np.linspace(-2.0, 2.0, n)
        own = functools.partial(elementwise, np)
        values: Case = {"Wengert": Call(jit(own), (x,))}
        both: Case = {"Wengert": Call(jit(wengert.value_and_grad(own)), (x,))}
        c = tools.c("elementwise", "value_and_gradient", n, [x], [(), x.shape], "-ffast-math")
        if c:
            both["C"] = c
        if tools.jax:
            jax = tools.jax
            f, xs = functools.partial(elementwise, jax.numpy), (jax.numpy.asarray(x),)
            values["JAX"] = Call(jax.jit(f), xs, ".block_until_ready()")
            both["JAX"] = Call(jax.jit(jax.value_and_grad(f)), xs, "[0].block_until_ready()")
        if tools.torch:
            f = functools.partial(elementwise, tools.torch)
            both["PyTorch"] = Call(torch_gradient(tools.torch, f, value=True), (tools.torch.tensor(x),))
        cases[f"elementwise, n = {n:,}: value"] = values
        cases[f"elementwise, n = {n:,}: value and gradient"] = both
    return cases


def wengert_network() -> Callable[..., Any]:
    import numpy as np

    import wengert

    return functools.partial(network, np, lambda z, axis: wengert.scipy.special.logsumexp(z, axis=axis))


def jax_network(jax: Any) -> Callable[..., Any]:
    return functools.partial(network, jax.numpy, jax.scipy.special.logsumexp)


def network_cases(tools: Tools, sizes: Sizes) -> dict[str, Case]:
    """Goal 3: matrix products with loops between them."""
    import wengert
    from wengert import jit

    cases: dict[str, Case] = {}
    for batch in sizes.batches:
        parameters, x, y = network_data(batch)
        own = wengert_network()
        values: Case = {"Wengert": Call(jit(own), (parameters, x, y))}
        both: Case = {"Wengert": Call(jit(wengert.value_and_grad(own)), (parameters, x, y))}
        if tools.jax:
            jax = tools.jax
            arguments = jax.tree.map(jax.numpy.asarray, (parameters, x, y))
            values["JAX"] = Call(jax.jit(jax_network(jax)), arguments, ".block_until_ready()")
            gradient = jax.jit(jax.value_and_grad(jax_network(jax)))
            both["JAX"] = Call(gradient, arguments, "[0].block_until_ready()")
        if tools.torch:
            torch = tools.torch
            loss = functools.partial(network, torch, torch.logsumexp)
            leaves = [torch.tensor(p) for p in parameters]

            def value_and_gradient(leaves: Any, x: Any, y: Any, torch: Any = torch, loss: Any = loss) -> Any:
                leaves = [p.detach().requires_grad_() for p in leaves]
                out = loss(leaves, x, y)
                return out.detach(), torch.autograd.grad(out, leaves)

            both["PyTorch"] = Call(value_and_gradient, (leaves, torch.tensor(x), torch.tensor(y)))
        cases[f"network, batch {batch}: value"] = values
        cases[f"network, batch {batch}: value and gradient"] = both
    return cases


def rosenbrock_cases(tools: Tools, sizes: Sizes) -> dict[str, Case]:
    """Goal 4: slices, and derivatives of second order."""
    import numpy as np

    import wengert
    from wengert import jit

    x10, x, large = (np.linspace(0.1, 1.0, n) for n in (10, sizes.hessian, sizes.product))
    v = np.cos(large)
    own = functools.partial(rosenbrock, np)
    gradients: Case = {"Wengert": Call(jit(wengert.grad(own)), (x10,))}
    hessians: Case = {"Wengert": Call(jit(wengert.hessian(own)), (x,))}
    products: Case = {"Wengert": Call(jit(lambda x, v: wengert.hvp(own, (x,), (v,))), (large, v))}
    for case, name, arguments, shape in (
        (gradients, "gradient", [x10], x10.shape),
        (hessians, "hessian", [x], (x.size, x.size)),
        (products, "hessian_vector_product", [large, v], large.shape),
    ):
        c = tools.c("rosenbrock", name, arguments[0].size, arguments, [shape])
        if c:
            case["C"] = c
    if tools.jax:
        jax = tools.jax
        other, asarray, wait = functools.partial(rosenbrock, jax.numpy), jax.numpy.asarray, ".block_until_ready()"
        gradients["JAX"] = Call(jax.jit(jax.grad(other)), (asarray(x10),), wait)
        hessians["JAX"] = Call(jax.jit(jax.hessian(other)), (asarray(x),), wait)
        product = jax.jit(lambda x, v: jax.jvp(jax.grad(other), (x,), (v,))[1])
        products["JAX"] = Call(product, (asarray(large), asarray(v)), wait)
    if tools.torch:
        torch = tools.torch
        f = functools.partial(rosenbrock, torch)
        gradients["PyTorch"] = Call(torch_gradient(torch, f), (torch.tensor(x10),))
        hessians["PyTorch"] = Call(torch.func.hessian(f), (torch.tensor(x),))

        def torch_product(x: Any, v: Any) -> Any:
            leaf = x.detach().requires_grad_()
            (gradient,) = torch.autograd.grad(f(leaf), leaf, create_graph=True)
            return torch.autograd.grad(gradient, leaf, v)[0]

        products["PyTorch"] = Call(torch_product, (torch.tensor(large), torch.tensor(v)))
    if tools.casadi:
        for case, make, arguments in (
            (gradients, casadi_gradient, [x10]),
            (hessians, casadi_hessian, [x]),
            (products, casadi_product, [large, v]),
        ):
            function = make(tools.casadi, arguments[0].size)
            case["CasADi"] = tools.casadi_call(function, *arguments)
            if tools.gcc and arguments[0].size <= 1000:
                case["CasADi + gcc"] = tools.casadi_call(function, *arguments, gcc=True)
    return {
        "Rosenbrock, n = 10: gradient": gradients,
        f"Rosenbrock, n = {sizes.hessian}: Hessian": hessians,
        f"Rosenbrock, n = {sizes.product:,}: Hessian × vector": products,
    }


def casadi_rosenbrock(ca: Any, n: int) -> tuple[Any, Any]:
    x = ca.SX.sym("x", n)
    return x, 100 * ca.sumsqr(x[1:] - x[:-1] ** 2) + ca.sumsqr(1 - x[:-1])


def casadi_gradient(ca: Any, n: int) -> Any:
    x, f = casadi_rosenbrock(ca, n)
    return ca.Function("gradient", [x], [ca.gradient(f, x)])


def casadi_hessian(ca: Any, n: int) -> Any:
    x, f = casadi_rosenbrock(ca, n)
    return ca.Function("hessian", [x], [ca.hessian(f, x)[0]])


def casadi_product(ca: Any, n: int) -> Any:
    x, f = casadi_rosenbrock(ca, n)
    v = ca.SX.sym("v", n)
    return ca.Function("product", [x, v], [ca.jtimes(ca.gradient(f, x), x, v)])


def camera_cases(tools: Tools, sizes: Sizes) -> dict[str, Case]:
    """Goal 6: small Jacobians of many examples."""
    import numpy as np

    import wengert
    from wengert import jit

    data = observations(sizes.observations)
    n, own, everything = len(data[0]), functools.partial(project, np), (0, 1, 2)

    def error(*arguments: Any) -> Any:
        return np.sum(own(*arguments) ** 2)

    def cost(*arguments: Any) -> Any:
        return np.sum(wengert.vmap(error)(*arguments))

    values: Case = {"Wengert": Call(jit(wengert.vmap(own)), data)}
    errors: Case = {"Wengert": Call(jit(wengert.vmap(error)), data)}
    slopes: Case = {"Wengert": Call(jit(wengert.vmap(wengert.grad(error, argnums=everything))), data)}
    costs: Case = {"Wengert": Call(jit(cost), data)}
    gradients: Case = {"Wengert": Call(jit(wengert.grad(cost, argnums=everything)), data)}
    forward: Case = {"Wengert": Call(jit(wengert.vmap(wengert.jacfwd(own, argnums=everything))), data)}
    reverse: Case = {"Wengert": Call(jit(wengert.vmap(wengert.jacrev(own, argnums=everything))), data)}
    shapes = [(n, 2, 11), (n, 2, 3), (n, 2)]
    for label, flags in (("C", ""), ("C, -ffast-math", "-ffast-math")):
        c = tools.c("camera", "jacobian", n, data, shapes, flags)
        if c:
            forward[label] = reverse[label] = c
    if tools.jax:
        jax = tools.jax
        f, arguments = functools.partial(project, jax.numpy), jax.tree.map(jax.numpy.asarray, data)
        wait = "[0].block_until_ready()"

        def jax_error(*arguments: Any) -> Any:
            return jax.numpy.sum(f(*arguments) ** 2)

        def jax_cost(*arguments: Any) -> Any:
            return jax.numpy.sum(jax.vmap(jax_error)(*arguments))

        values["JAX"] = Call(jax.jit(jax.vmap(f)), arguments, ".block_until_ready()")
        errors["JAX"] = Call(jax.jit(jax.vmap(jax_error)), arguments, ".block_until_ready()")
        slopes["JAX"] = Call(jax.jit(jax.vmap(jax.grad(jax_error, everything))), arguments, wait)
        costs["JAX"] = Call(jax.jit(jax_cost), arguments, ".block_until_ready()")
        gradients["JAX"] = Call(jax.jit(jax.grad(jax_cost, everything)), arguments, wait)
        forward["JAX"] = Call(jax.jit(jax.vmap(jax.jacfwd(f, everything))), arguments, wait)
        reverse["JAX"] = Call(jax.jit(jax.vmap(jax.jacrev(f, everything))), arguments, wait)
    return {
        f"camera × {n:,}: projection": values,
        f"camera × {n:,}: squared errors": errors,
        f"camera × {n:,}: gradients of the squared errors": slopes,
        f"camera × {n:,}: sum of squares": costs,
        f"camera × {n:,}: gradient of the sum of squares": gradients,
        f"camera × {n:,}: Jacobians by jacfwd": forward,
        f"camera × {n:,}: Jacobians by jacrev": reverse,
    }


# First calls ----------------------------------------------------------------------------------------------------------


def compile_cases(tools: Tools, sizes: Sizes) -> dict[str, Case]:
    """Goal 5: each call compiles a function that has not been seen before and runs it."""
    import numpy as np

    import wengert
    from wengert import jit

    data = network_data(sizes.batches[0])

    def own(make: Callable[[], Any], *arguments: Any) -> Call:
        return Call(lambda: jit(make())(*arguments))

    def chain(sin: Any) -> Any:
        return lambda x: scalar_chain(sin, sizes.chain, x)

    cases: dict[str, Case] = {
        f"first call: chain of {sizes.chain:,} operations": {"Wengert": own(lambda: chain(np.sin), 0.5)},
        "first call: its gradient": {"Wengert": own(lambda: wengert.grad(chain(np.sin)), 0.5)},
        "first call: network, value and gradient": {
            "Wengert": own(lambda: wengert.value_and_grad(wengert_network()), *data)
        },
    }
    if tools.jax:
        jax = tools.jax
        arguments = jax.tree.map(jax.numpy.asarray, data)

        def other(make: Callable[[], Any], *arguments: Any) -> Call:
            def call() -> Any:
                jax.clear_caches()
                return jax.block_until_ready(jax.jit(make())(*arguments))

            return Call(call)

        first, second, third = cases.values()
        first["JAX"] = other(lambda: chain(jax.numpy.sin), 0.5)
        second["JAX"] = other(lambda: jax.grad(chain(jax.numpy.sin)), 0.5)
        third["JAX"] = other(lambda: jax.value_and_grad(jax_network(jax)), *arguments)
    return cases


def import_cases(directory: str) -> dict[str, Case]:
    """The other half of goal 5: the time that a fresh interpreter takes, with the bytecode of all modules at hand."""
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": os.path.join(directory, "bytecode")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)

    def run(code: str) -> Call:
        def call() -> Any:
            return subprocess.run([sys.executable, "-c", code], check=True, env=environment)

        call()  # writes the bytecode
        return Call(call, result=lambda: ())

    return {
        "import": {
            "Wengert": run("import numpy, scipy.linalg, wengert"),
            "NumPy and scipy.linalg": run("import numpy, scipy.linalg"),
        }
    }


def measure_all(threads: int, rounds: int, sizes: Sizes) -> Results:
    limit_threads(threads)
    import wengert

    wengert.config.threads = threads
    wengert.config.cache_directory = None  # so that first calls compile
    with tempfile.TemporaryDirectory() as directory:
        tools = Tools(threads, directory)
        results: Results = {}
        for make in (call_cases, elementwise_cases, network_cases, rosenbrock_cases, camera_cases):
            results |= measure(make(tools, sizes), rounds)
        results |= measure(compile_cases(tools, sizes), max(1, rounds // 3), once=True)
        return results | measure(import_cases(directory), max(1, rounds // 2), once=True)


# Goals ----------------------------------------------------------------------------------------------------------------


def goals(sizes: Sizes) -> list[Goal]:
    rows = [Goal(1, "gradient of sum(x**2), n = 10", 0.5e-6), Goal(1, "gradient of sum(x**2), n = 10", 1 / 8, "JAX")]
    for n in sizes.loops:
        case = f"elementwise, n = {n:,}: value and gradient"
        rows += [Goal(2, case, 1.1, "C"), Goal(2, case, 1, "JAX")]
    for n in sizes.batches:
        rows += [Goal(3, f"network, batch {n}: value and gradient", 1, tool) for tool in ("JAX", "PyTorch")]
    rosenbrocks = [
        "Rosenbrock, n = 10: gradient",
        f"Rosenbrock, n = {sizes.hessian}: Hessian",
        f"Rosenbrock, n = {sizes.product:,}: Hessian × vector",
    ]
    rows.append(Goal(4, rosenbrocks[0], 1.5, "C"))
    rows += [Goal(4, case, 1, tool) for case in rosenbrocks for tool in ("JAX", "CasADi", "PyTorch")]
    firsts = [f"first call: chain of {sizes.chain:,} operations", "first call: its gradient"]
    rows += [Goal(5, case, 1 / 5, "JAX") for case in (*firsts, "first call: network, value and gradient")]
    rows.append(Goal(5, "import", 0.3, "NumPy and scipy.linalg"))
    camera = f"camera × {sizes.observations:,}"
    for way in ("jacfwd", "jacrev"):
        case = f"{camera}: Jacobians by {way}"
        rows += [Goal(6, case, 1.5, "C"), Goal(6, case, 1 / 3, "JAX")]
    for case in (*(f"elementwise, n = {n:,}" for n in sizes.loops), *(f"network, batch {n}" for n in sizes.batches)):
        rows.append(Goal(7, f"{case}: value and gradient", 3, "Wengert", f"{case}: value"))
    rows += [
        Goal(7, f"{camera}: gradients of the squared errors", 3, "Wengert", f"{camera}: squared errors"),
        Goal(7, f"{camera}: gradient of the sum of squares", 3, "Wengert", f"{camera}: sum of squares"),
    ]
    return rows


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="store the tables in benchmarks/README.md")
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--quick", action="store_true", help="small sizes and one round: only to see that it runs")
    parser.add_argument("--threads", type=int, help="measure in this process, with so many threads")
    parser.add_argument("--json", action="store_true", help="print the times of --threads in seconds, for a program")
    options = parser.parse_args(arguments)
    sizes, rounds = (QUICK, 1) if options.quick else (Sizes(), options.rounds)
    by_threads: dict[int, Results] = {}
    if options.threads:
        by_threads[options.threads] = measure_all(options.threads, rounds, sizes)
        if options.json:
            print(json.dumps(by_threads[options.threads]))
            return
    else:
        for threads in (1, 2):
            command = [sys.executable, __file__, "--json", "--threads", str(threads), "--rounds", str(rounds)]
            command += ["--quick"] * options.quick
            output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
            by_threads[threads] = json.loads(output.splitlines()[-1])
    tables = "\n\n".join(times_table(results, threads) for threads, results in by_threads.items())
    text = f"{versions()}\n\n{goals_table(by_threads, goals(sizes))}\n\n{tables}\n"
    print(text)
    if options.write:
        store("compiled", text)


if __name__ == "__main__":
    main()
