"""More problems of the kinds that the shared sampler benchmark has, and of three that it has not: noisy, conditional and flat ones.

The benchmark's twelve problems are a sample; a sampler that was improved on them alone may only know these twelve. These seventeen
are other functions of the same kinds, for watching that. The harness adds them to its own when BENCH_EXTRA names this folder:

    BENCH_EXTRA=benches/samplers python3 "$HYPERSTUDY_SHARED/bench/harness.py" list

references.json holds, per problem, the optimum and what 100 random evaluations reach; `references.py` makes it. Less is better
everywhere. A problem's `kind` says what is hard about it: smooth, log, mixed, crash, noisy, conditional, flat.

A parameter with `when` is only there where that condition holds, and `f` looks at it only there. Peers that know no conditions
sample all parameters all the time.
"""
import itertools
import json
import math
import os

import numpy as np
from problems import C, F, Failed, I, O, Problem

HERE = os.path.dirname(os.path.abspath(__file__))


def problems():
    """All of them, in the order of their kinds."""
    return smooth() + logarithmic() + mixed() + crashing() + noisy() + conditional() + flat()


def references():
    """What `references.py` stored."""
    with open(os.path.join(HERE, "references.json")) as handle:
        return json.load(handle)


# ------------------------------------------------------------------ helpers
def lg(v):
    return math.log10(v)


def l2(v):
    return math.log2(v)


def when(parameter, condition):
    return {**parameter, "when": condition}


def box(name, low, high, g, at, opt=0.0, kind="smooth", noise=0.0):
    """`g` of the distance from `at`, its optimum, in a box of as many dimensions."""
    at = np.array(at)
    parameters = [F(f"x{i}", low, high) for i in range(len(at))]
    return Problem(name, parameters, lambda x: float(g(np.array([x[p["name"]] for p in parameters]) - at)), opt, noise, kind)


# ------------------------------------------------------------------ smooth
def rastrigin_mild(z):
    """Waves of a tenth of the usual height: seen, but the bowl below shows through."""
    return float(np.sum(z ** 2 + 1.0 * (1 - np.cos(2 * np.pi * z))))


def levy(z):
    w = 1 + z / 4
    return (math.sin(math.pi * w[0]) ** 2 + np.sum((w[:-1] - 1) ** 2 * (1 + 10 * np.sin(np.pi * w[:-1] + 1) ** 2))
            + (w[-1] - 1) ** 2 * (1 + math.sin(2 * math.pi * w[-1]) ** 2))


def zakharov(z):
    tilt = float(np.sum(0.5 * np.arange(1, len(z) + 1) * z))
    return np.sum(z ** 2) + tilt ** 2 + tilt ** 4


ROTATION = np.linalg.qr(np.random.default_rng(6).normal(size=(6, 6)))[0]


def ellipsoid(z):
    """Axes whose lengths differ ten times, in no parameter's direction."""
    return np.sum(10.0 ** np.linspace(0, 2, 6) * (ROTATION @ z) ** 2)


HARTMANN_A = np.array([[10, 3, 17, 3.5, 1.7, 8], [0.05, 10, 17, 0.1, 8, 14], [3, 3.5, 1.7, 10, 17, 8], [17, 8, 0.05, 10, 0.1, 14]])
HARTMANN_P = 1e-4 * np.array([[1312, 1696, 5569, 124, 8283, 5886], [2329, 4135, 8307, 3736, 1004, 9991],
                              [2348, 1451, 3522, 2883, 3047, 6650], [4047, 8828, 8732, 5743, 1091, 381]])


def hartmann(z):
    return -float(np.array([1, 1.2, 3, 3.2]) @ np.exp(-np.sum(HARTMANN_A * (z - HARTMANN_P) ** 2, axis=1)))


def few_of_twenty(z):
    """Three dimensions that matter, two of them together, and seventeen that hardly do."""
    a, b, c = z[4], z[11], z[17]
    rest = np.delete(z, [4, 11, 17])
    return 1.0 * a ** 2 + 0.7 * (b - 0.6 * a) ** 2 + 0.5 * abs(c) + 0.004 * np.sum(rest ** 2)


def smooth():
    return [
        box("rastrigin_mild4", -5, 5, rastrigin_mild, [1.7, -2.3, 0.8, 3.1]),
        box("levy6", -10, 10, levy, [3.4, -5.2, 1.1, -2.7, 4.6, -0.9]),
        box("hartmann6", 0, 1, hartmann, [0] * 6, -3.322368011391339),
        box("zakharov5", -5, 10, zakharov, [1.2, 4.1, -1.6, 3.3, 0.4]),
        box("ellipsoid6", -4, 6, ellipsoid, [2.2, -1.1, 0.3, 3.7, -2.4, 1.9]),
        box("few20", -1, 1, few_of_twenty, np.random.default_rng(20).uniform(-0.7, 0.7, 20)),
    ]


# ------------------------------------------------------------------ learning rates and their like
def schedule(x):
    """The best learning rate goes with the batch, the best decay and warm-up with the learning rate."""
    rate, batch = lg(x["lr"]) + 3.1, l2(x["batch"] / 147)
    return (0.8 * (rate - 0.12 * batch) ** 2 + 0.3 * (lg(x["weight_decay"]) + 3.3 + rate) ** 2 + 0.06 * batch ** 2
            + 0.5 * (lg(x["warmup"]) + 1.6 - 0.4 * rate) ** 2 + 0.4 * (lg(x["one_minus_beta2"]) + 2.2 + 0.1 * batch) ** 2
            + 0.05 * (lg(x["eps"]) + 9.1) ** 2)


def training(x):
    """What counts is lr / decay: too little of it learns nothing, slowly getting worse; too much diverges at once."""
    z = lg(x["lr"] / x["decay"]) + 0.4
    reached = 1 - math.exp(-0.5 * z * z) if z < 0 else min(3 * z * z, 4.0)
    return (reached + 0.3 * (lg(x["decay"]) + 1.3) ** 2 + 0.15 * (lg(x["weight_decay"]) + 3.8 + 0.3 * z) ** 2
            + 0.06 * l2(x["epochs"] / 57) ** 2 + 0.1 * (lg(x["clip"]) - 0.55) ** 2)


def logarithmic():
    return [
        Problem("schedule6", [F("lr", 1e-6, 1, True), I("batch", 8, 2048, True), F("weight_decay", 1e-7, 1e-1, True),
                              F("warmup", 1e-4, 0.5, True), F("one_minus_beta2", 1e-4, 0.3, True), F("eps", 1e-12, 1e-3, True)],
                schedule, 0.0, kind="log"),
        Problem("training5", [F("lr", 1e-5, 10, True), F("decay", 1e-3, 1, True), F("weight_decay", 1e-7, 1, True),
                              I("epochs", 5, 200, True), F("clip", 1e-2, 1e2, True)], training, 0.0, kind="log"),
    ]


# ------------------------------------------------------------------ mixed and categorical
def network(x):
    worse, rate = {"sgd": (0.10, -0.9), "adam": (0.0, -2.9), "rmsprop": (0.18, -3.4)}[x["optimizer"]]
    norm = {"none": 0.035 * x["depth"], "batch": 0.12 / (1 + x["batch"] / 16), "layer": 0.0}[x["norm"]]
    return (worse + norm + 0.45 * (lg(x["lr"]) - rate + 0.05 * (x["depth"] - 7)) ** 2 + 0.03 * (x["depth"] - 7) ** 2
            + 0.12 * l2(x["width"] / 93) ** 2 + 3 * (x["dropout"] - 0.25 - 0.05 * (x["depth"] - 7)) ** 2
            + 0.05 * l2(x["batch"] / 64) ** 2)


CHOICES = [4, 3, 5, 3, 4]
_rng = np.random.default_rng(57)
EFFECT = [_rng.uniform(0, 0.6, n) for n in CHOICES]
TOGETHER = {(i, j): _rng.uniform(0, 0.5, (CHOICES[i], CHOICES[j])) for i, j in [(0, 2), (1, 4), (2, 3)]}
BEST_TEMPERATURE = [0.3, 0.72, 0.45, 0.6, 0.15]
BASE = [[f"{'abcde'[i]}{k}" for k in range(n)] for i, n in enumerate(CHOICES)]


def of_choices(k):
    """What the five choices contribute: each by itself, and three pairs together."""
    return float(sum(e[c] for e, c in zip(EFFECT, k)) + sum(t[k[i], k[j]] for (i, j), t in TOGETHER.items()))


OF_CHOICES_BEST = min(of_choices(k) for k in itertools.product(*map(range, CHOICES)))


def pipeline(x):
    k = [BASE[i].index(x[f"c{i}"]) for i in range(5)]
    return of_choices(k) + 1.5 * (x["temperature"] - BEST_TEMPERATURE[k[2]]) ** 2 + 0.2 * (lg(x["rate"]) + 1.3) ** 2


def steps(x):
    """Few values each, a neighbour is nearly as good, and two go together."""
    size, kernel = [16, 32, 64, 128, 256].index(x["size"]), [1, 3, 5, 7, 9].index(x["kernel"])
    return (0.10 * (x["heads"] - 5) ** 2 + 0.25 * abs(x["blocks"] - 3 - (size - 3)) + 0.20 * abs(size - 3) ** 1.5
            + 0.15 * abs(kernel - 1 + x["stride"] - 2) + 0.30 * (x["stride"] - 2) ** 2 + 0.05 * (x["merge"] - 7) ** 2)


def mixed():
    return [
        Problem("network7", [F("lr", 1e-5, 1, True), C("optimizer", ["rmsprop", "sgd", "adam"]), C("norm", ["none", "batch", "layer"]),
                             I("width", 8, 1024, True), I("depth", 1, 10), F("dropout", 0.0, 0.8, step=0.05),
                             O("batch", [8, 16, 32, 64, 128, 256])], network, 0.0, kind="mixed"),
        Problem("pipeline7", [C(f"c{i}", BASE[i]) for i in range(5)] + [F("temperature", 0, 1), F("rate", 1e-4, 1, True)],
                pipeline, OF_CHOICES_BEST, kind="mixed"),
        Problem("steps6", [I("heads", 1, 8), I("blocks", 1, 6), O("size", [16, 32, 64, 128, 256]), O("kernel", [1, 3, 5, 7, 9]),
                           I("stride", 1, 4), I("merge", 0, 12)], steps, 0.0, kind="mixed"),
    ]


# ------------------------------------------------------------------ failing regions
def oblique(x):
    """Fails beyond a slope just past the optimum that no one parameter shows, and in a corner of two parameters."""
    rate, width, depth = lg(x["lr"]) + 2.2, lg(x["width"] / 310), x["depth"] - 9
    if rate + 0.9 * width + 0.06 * depth > 0.12 or (x["clip"] > 8 and x["lr"] > 0.003):
        raise Failed("simulated divergence")
    return 0.4 * rate ** 2 + 0.6 * width ** 2 + 0.008 * depth ** 2 + 0.1 * (lg(x["clip"]) - 0.3) ** 2


BALL, BALL_OPTIMUM = np.array([0.5, 0.45, 0.55]), np.array([0.72, 0.66, 0.29])


def ball(x):
    """Fails in a ball whose surface is next to the optimum, which the way from the other side leads through."""
    u = np.array([(x["temperature"] - 20) / 100, lg(x["pressure"]) / lg(50), (x["minutes"] - 1) / 59])
    if np.sum((u - BALL) ** 2) < 0.36 ** 2:
        raise Failed("simulated clogging")
    z = u - BALL_OPTIMUM
    return float(z @ z + 1.5 * (z[0] + z[1] - 0.5 * z[2]) ** 2 + 0.02 * (1 - math.cos(12 * z[0])))


def crashing():
    return [
        Problem("oblique4", [F("lr", 1e-5, 1, True), I("width", 16, 4096, True), I("depth", 1, 24), F("clip", 1e-2, 1e2, True)],
                oblique, 0.0, kind="crash"),
        Problem("ball3", [F("temperature", 20, 120), F("pressure", 1, 50, True), F("minutes", 1, 60)], ball, 0.0, kind="crash"),
    ]


# ------------------------------------------------------------------ noisy
def branin(x):
    a, b = x["x0"], x["x1"]
    return ((b - 5.1 / (4 * math.pi ** 2) * a * a + 5 / math.pi * a - 6) ** 2 + 10 * (1 - 1 / (8 * math.pi)) * math.cos(a) + 10)


def noisy_mixed(x):
    rate = {"linear": -2.1, "rbf": -1.4, "trees": -2.8}[x["model"]]
    worse = {"linear": 0.25, "rbf": 0.0, "trees": 0.06}[x["model"]]
    return (worse + 0.3 * (lg(x["rate"]) - rate) ** 2 + 0.1 * l2(x["rounds"] / 140) ** 2 + 1.2 * (x["share"] - 0.65) ** 2
            + 0.04 * (x["leaves"] - 9) ** 2 / (1 + 0.05 * abs(x["leaves"] - 9)))


def noisy():
    """Noise of 5 to 10 % of what separates the optimum from random search's median."""
    return [
        box("noisy_sphere4", -5, 5, lambda z: np.sum(z ** 2), [-2.1, 3.2, 0.7, -3.6], kind="noisy", noise=0.3),
        Problem("noisy_branin2", [F("x0", -5, 10), F("x1", 0, 15)], branin, 0.39788735772973816, 0.03, "noisy"),
        Problem("noisy_mixed5", [C("model", ["linear", "trees", "rbf"]), F("rate", 1e-5, 1, True), I("rounds", 10, 1000, True),
                                 F("share", 0.2, 1.0, step=0.05), I("leaves", 2, 40)], noisy_mixed, 0.0, 0.015, "noisy"),
    ]


# ------------------------------------------------------------------ conditional
def optimizers(x):
    """The choice that is easily tuned is not the one that is best."""
    if x["optimizer"] == "sgd":
        value = 0.2 + 0.15 * (lg(x["lr"]) + 1.2) ** 2 + 0.4 * (x["momentum"] - 0.82) ** 2
    else:
        rate = lg(x["lr"]) + 3.2
        value = 0.7 * rate ** 2 + 0.35 * (lg(x["one_minus_beta2"]) + 2.3 - 0.5 * rate) ** 2 + 0.4 * (x["warmup"] - 0.13) ** 2
    if x["schedule"] == "step":
        return value + 0.8 * (x["gamma"] - 0.37) ** 2
    return value + {"constant": 0.15, "cosine": 0.05}[x["schedule"]]


def layers(x):
    """As many widths as there are layers."""
    widths = [x[f"units{i}"] for i in range(1, x["layers"] + 1)]
    return (0.12 * (x["layers"] - 3) ** 2 + sum(0.07 * l2(w / best) ** 2 for w, best in zip(widths, [310, 120, 45, 45]))
            + 2 * (x["dropout"] - 0.1 * x["layers"] + 0.05) ** 2)


def conditional():
    return [
        Problem("optimizers7", [C("optimizer", ["sgd", "adam"]), F("lr", 1e-6, 1, True),
                                when(F("momentum", 0, 0.99), "parameters.optimizer == 'sgd'"),
                                when(F("one_minus_beta2", 1e-4, 0.5, True), "parameters.optimizer == 'adam'"),
                                when(F("warmup", 0, 0.5), "parameters.optimizer == 'adam'"),
                                C("schedule", ["constant", "cosine", "step"]),
                                when(F("gamma", 0.05, 0.95), "parameters.schedule == 'step'")], optimizers, 0.0, kind="conditional"),
        Problem("layers6", [I("layers", 1, 4), I("units1", 8, 1024, True)]
                + [when(I(f"units{i}", 8, 1024, True), f"parameters.layers >= {i}") for i in (2, 3, 4)]
                + [F("dropout", 0, 0.8)], layers, 0.0, kind="conditional"),
    ]


# ------------------------------------------------------------------ flat
def terraces(z):
    """Steps towards the optimum, and nothing to be seen in half of the box."""
    return float(min(np.sum(np.floor(np.abs(z) / 1.3)), 17))


def flat():
    return [box("terraces5", -10, 10, terraces, [4.3, -6.1, 2.2, -1.4, 5.7], kind="flat")]
