"""From one row a model to the figures of the README, each against its bar."""

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
from scipy.stats import beta, spearmanr
from sklearn.metrics import roc_auc_score

Row = dict[str, object]
DELTA = 0.05


def column(rows: Sequence[Row], name: str) -> np.ndarray:
    """A column of numbers, as they were or as a file gives them back."""
    return np.array([float(str(row[name])) for row in rows])


def said(rows: Sequence[Row], verdict: str, rule: str = "verdict") -> np.ndarray:
    """Which models got this verdict; the rule is a column: with controls, or `gap_verdict` without."""
    return np.array([row[rule] == verdict for row in rows])


def upper_bound(alarms: int, n: int) -> float:
    """Clopper and Pearson's one-sided 95 % bound of a rate."""
    return 1.0 if alarms == n else float(beta.ppf(0.95, alarms + 1, n - alarms))


def even(rows: Sequence[Row]) -> list[Row]:
    """As many models at each alignment of a cue; the further clean ones are there for the false alarms only.

    Among models of one reliance, ranks are noise, so their number would decide the rank correlation.
    """

    def group(row: Row) -> tuple[object, ...]:
        return row["kind"], row["world"], row["cue"], str(row["rho"])

    least = min(Counter(group(row) for row in rows).values())
    seen: Counter[tuple[object, ...]] = Counter()
    kept = []
    for row in rows:
        seen[group(row)] += 1
        if seen[group(row)] <= least:
            kept.append(row)
    return kept


def scores(rows: Sequence[Row], score: str = "gap") -> tuple[float, float]:
    """AUROC of a score for reliance over δ, and its rank correlation with the reliance."""
    rows = even(rows)
    reliance, value = column(rows, "reliance"), column(rows, score)
    over = reliance > DELTA
    area = roc_auc_score(over, value) if 0 < over.sum() < len(over) else float("nan")
    return float(area), float(spearmanr(reliance, value).statistic)


def alarms(rows: Sequence[Row]) -> str:
    """Alarms among the models given, with the bound of their rate."""
    count = int(said(rows, "BIASED").sum())
    return f"{count} of {len(rows)} (≤ {upper_bound(count, len(rows)):.1%})" if rows else "–"


def control_table(rows: Sequence[Row]) -> Iterator[str]:
    """What the controls change: BIASED by the gap alone, and with one of two controls."""
    yield (
        "| models | n | BIASED by the gap alone | with a control | R ≤ δ among them, by the gap alone | "
        "with a control | matched gap, points | plain-colour gap |\n|---|---|---|---|---|---|---|---|"
    )
    for group in dict.fromkeys((row["kind"], row["world"], row["cue"]) for row in rows):
        of_group = [row for row in rows if (row["kind"], row["world"], row["cue"]) == group]
        for name, rho in (("ρ = 1/k", 0.1), ("ρ = 0.95", 0.95)):
            here = at(of_group, rho)
            small = [row for row in here if float(str(row["reliance"])) <= DELTA]
            counts = [
                str(int(said(of, "BIASED", rule).sum()))
                for of in (here, small)
                for rule in ("gap_verdict", "verdict")
            ]
            gaps = [points(here, column) for column in ("matched_gap", "colour_gap")]
            cells = (f"{group[0]}s", *group[1:], name)
            yield f"| {', '.join(map(str, cells))} | {' | '.join([str(len(here)), *counts, *gaps])} |"


def at(rows: Sequence[Row], rho: float) -> list[Row]:
    return [row for row in rows if abs(float(str(row["rho"])) - rho) < 1e-6]


def points(rows: Sequence[Row], name: str) -> str:
    """A mean in percentage points."""
    return f"{100 * column(rows, name).mean():.1f}"


def line(name: str, rows: Sequence[Row]) -> str:
    """One line of the table."""
    area, rank = scores(rows)
    small = [row for row in rows if float(str(row["reliance"])) <= DELTA]
    clean, strong = at(rows, 0.1), at(rows, 0.95)
    missed = (column(rows, "reliance") > DELTA) & said(rows, "CLEAR")
    cells = (
        name, str(len(rows)), f"{area:.3f}", f"{rank:.3f}", alarms(clean), alarms(small),
        f"{said(strong, 'BIASED').mean():.0%} of {len(strong)}", points(strong, "reliance"),
        points(strong, "gap"),        points(clean, "gap"), str(int(missed.sum())),
    )  # fmt: skip
    return f"| {' | '.join(cells)} |"


HEADER = (
    "| models | n | AUROC (R > δ) | rank correlation | false alarms, ρ = 1/k (95 % bound) | "
    "false alarms, R ≤ δ | BIASED at ρ = 0.95 | R there, points | gap there | gap at ρ = 1/k | "
    "CLEAR though R > δ |\n|---|---|---|---|---|---|---|---|---|---|---|"
)


def own_table(rows: Sequence[Row]) -> Iterator[str]:
    """The heads again, audited on images at their own alignment, where fewer carry the cue."""
    yield "| heads, by alignment | n | R, points | gap, aligned audit | BIASED | gap, own audit | BIASED |"
    yield "|---|---|---|---|---|---|---|"
    heads = [row for row in rows if (row["kind"], row["world"]) == ("head", "neutral")]
    for rho in dict.fromkeys(float(str(row["rho"])) for row in heads):
        here = at(heads, rho)
        shares = [np.mean([row[name] == "BIASED" for row in here]) for name in ("verdict", "own_verdict")]
        yield (
            f"| ρ = {rho:g} | {len(here)} | {points(here, 'reliance')} | {points(here, 'gap')} | "
            f"{shares[0]:.0%} | {points(here, 'own_gap')} | {shares[1]:.0%} |"
        )


def table(rows: Sequence[Row]) -> Iterator[str]:
    """All models of a kind and world, then cue by cue."""
    yield HEADER
    for kind, world in dict.fromkeys((row["kind"], row["world"]) for row in rows):
        here = [row for row in rows if (row["kind"], row["world"]) == (kind, world)]
        yield line(f"{kind}s, {world}, all cues", here)
        for cue in dict.fromkeys(row["cue"] for row in here):
            yield line(f"{kind}s, {world}, {cue}", [row for row in here if row["cue"] == cue])


def bars(rows: Sequence[Row]) -> Iterator[str]:
    """The four bars, on the models whose only background cue is the planted one."""
    for kind in dict.fromkeys(row["kind"] for row in rows):
        here = [row for row in rows if (row["kind"], row["world"]) == (kind, "neutral")]
        clean, strong = at(here, 0.1), at(here, 0.95)
        area, rank = scores(here)
        count = int(said(clean, "BIASED").sum())
        bound = upper_bound(count, len(clean))
        worst = min(
            (float(said(of, "BIASED").mean()), str(cue))
            for cue in dict.fromkeys(row["cue"] for row in strong)
            if (of := [row for row in strong if row["cue"] == cue])
        )
        yield f"{kind}s, neutral, n = {len(here)}:"
        yield f"  AUROC {area:.3f}, bar 0.98: {met(area >= 0.98)}"
        yield f"  rank correlation {rank:.3f}, bar 0.9: {met(rank >= 0.9)}"
        yield f"  false alarms {count} of {len(clean)}, 95 % bound {bound:.1%}, bar 5 %: {met(bound <= 0.05)}"
        share, cue = worst
        yield f"  BIASED at ρ = 0.95, worst cue ({cue}) {share:.0%}, bar 95 %: {met(share >= 0.95)}"


def met(holds: bool) -> str:
    return "met" if holds else "missed"


def screen_table(rows: Sequence[Row]) -> Iterator[str]:
    """How well the prediction without background evidence foretells what the swaps find."""
    yield "| models | screen: AUROC (R > δ) | rank with R | rank with the gap | lost objects | plain doubt |"
    yield "|---|---|---|---|---|---|"
    for kind, world in dict.fromkeys((row["kind"], row["world"]) for row in rows):
        here = [row for row in rows if (row["kind"], row["world"]) == (kind, world)]
        area, rank = scores(here, "screen")
        same = even(here)
        with_gap = float(spearmanr(column(same, "gap"), column(same, "screen")).statistic)
        forecast = np.nanmean(column(here, "screen_forecast"))
        plain = f"{np.nanmean(column(here, 'doubt_forecast')):.3f}" if kind == "head" else "–"
        yield f"| {kind}s, {world} | {area:.3f} | {rank:.3f} | {with_gap:.3f} | {forecast:.3f} | {plain} |"


def summarise(rows: Sequence[Row]) -> str:
    """All that the README needs."""
    parts = (table, own_table, control_table, screen_table, bars)
    return "\n\n".join("\n".join(part(rows)) for part in parts)
