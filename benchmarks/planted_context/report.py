"""From one row a model to the figures of the README."""

from collections.abc import Sequence

import numpy as np
from scipy.stats import beta, spearmanr
from sklearn.metrics import roc_auc_score

Row = dict[str, object]
DELTA = 0.05


def column(rows: Sequence[Row], name: str) -> np.ndarray:
    return np.array([row[name] for row in rows])


def upper_bound(alarms: int, n: int) -> float:
    """Clopper and Pearson's one-sided 95 % bound of a rate."""
    return 1.0 if alarms == n else float(beta.ppf(0.95, alarms + 1, n - alarms))


def scores(rows: Sequence[Row], score: str = "gap") -> tuple[float, float]:
    """AUROC of a score for reliance over δ, and its rank correlation with the reliance."""
    reliance, value = column(rows, "reliance").astype(float), column(rows, score).astype(float)
    over = reliance > DELTA
    area = roc_auc_score(over, value) if 0 < over.sum() < len(over) else float("nan")
    return float(area), float(spearmanr(reliance, value).statistic)


def line(name: str, rows: Sequence[Row]) -> str:
    """One line: AUROC, rank correlation, false alarms among clean models, power at ρ = 0.95."""
    area, rank = scores(rows)
    said, rho = column(rows, "verdict"), column(rows, "rho").astype(float)
    clean, strong = rho == 0.1, rho == 0.95
    alarms = int((said[clean] == "BIASED").sum())
    missed = (column(rows, "reliance").astype(float) > DELTA) & (said == "CLEAR")
    return (
        f"| {name} | {len(rows)} | {area:.3f} | {rank:.3f} | {alarms} of {clean.sum()} "
        f"(≤ {upper_bound(alarms, int(clean.sum())):.1%}) | {(said[strong] == 'BIASED').mean():.0%} | "
        f"{column(rows, 'reliance').astype(float)[strong].mean():.3f} | "
        f"{column(rows, 'gap').astype(float)[clean].mean():.3f} | {int(missed.sum())} |"
    )


def summarise(rows: Sequence[Row]) -> str:
    """The table of the README."""
    lines = [
        "| models | n | AUROC (R > δ) | rank correlation | false alarms at ρ = 1/k (95 % bound) | "
        "BIASED at ρ = 0.95 | R at ρ = 0.95 | gap at ρ = 1/k | CLEAR though R > δ |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for world in dict.fromkeys(row["world"] for row in rows):
        here = [row for row in rows if row["world"] == world]
        lines.append(line(f"{world}, all cues", here))
        lines += [
            line(f"{world}, {cue}", [row for row in here if row["cue"] == cue])
            for cue in dict.fromkeys(row["cue"] for row in here)
        ]
    return "\n".join(lines)
