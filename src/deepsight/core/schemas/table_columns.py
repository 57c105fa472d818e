"""The columns of each stored table of a run.

Columns before the semicolon are required; those after it are optional, or were added by later versions.
Further columns are allowed if they hold plain values.
"""

from collections.abc import Mapping

import polars as pl

LISTED: Mapping[str, str] = {
    "ambiguity": """
        split index score ; people_differ two_differ surest_differ disagreement first second file
    """,
    "appearance": """
        class n red_mean green_mean blue_mean red_sd green_sd blue_sd brightness brightness_sd
        contrast
    """,
    "attribution": """
        split index true predicted layer object_share file ; confidence kind object_area peak_inside
        contrast_share strongest mirror_agreement image_file
    """,
    "attribution_classes": """
        class n object_share ci_low ci_high object_area ; corrected_share peak_inside
    """,
    "attribution_maps": "split index class row column evidence ; file",
    "attribution_methods": "method layer cells deletion insertion pointing score chosen",
    "background_errors": """
        split index true predicted flip_share stays without_background flagged ; placebo_share
    """,
    "balance": "split class n share",
    "calibration": "bin_low bin_high n confidence accuracy",
    "calibration_summary": "stage quantity value ci_low ci_high ; if_calibrated p_value",
    "class_drift": "class before now difference ci_low ci_high p_value q_value drifted n_now",
    "class_order_audit": "class output n recall recall_reordered exchanged",
    "compared_changed": "index true predicted_a predicted_b change",
    "compared_with": "labels score before after difference ci_low ci_high p_value minimum_detectable",
    "conflicting_copies": """
        split_a index_a label_a split_b index_b label_b kind probability ; file_a file_b
    """,
    "confusion": "true predicted count rate",
    "confusion_clusters": "cluster classes size affinity support stable",
    "confusion_direction": "class_a class_b a_as_b b_as_a p_value q_value dominant",
    "confusion_pairs": "true predicted count rate ci_low ci_high expected p_value q_value flagged",
    "context": "test class effect ci_low ci_high minimum_detectable verdict ; q_value rejected n note",
    "context_pictures": "file caption ; pair objects on_own on_other",
    "corrected_score": "labels n macro_f1 ci_low ci_high",
    "degradation": "corruption severity class n accuracy ci_low ci_high macro_f1",
    "degradation_summary": "corruption accuracy macro_f1 retained",
    "duplicates": """
        split_a index_a split_b index_b score kind probability flagged cluster ; mirrored scale_x
        scale_y shift_x shift_y file_a file_b
    """,
    "embedding": "index class x y ; agreement file",
    "errors": "index true predicted confidence ; file",
    "faithfulness": "check value baseline ci_low ci_high passed ; n",
    "familiarity": "class n share ci_low ci_high p_value confidence confidence_before",
    "feature_drift": "class auc ci_low ci_high p_value q_value drifted n_before n_now",
    "history": "phase val_macro_f1 ; epoch seconds lr_base lr_head train_loss val_loss",
    "hypotheses": "name statement test effect ci_low ci_high p_value p_over verdict registered note",
    "image_issue_counts": "issue n share ci_low ci_high limit measure",
    "image_issues": "split index issue value ; file",
    "image_quality": "fault property n error_rate baseline odds_ratio p_value",
    "images": "split source index file class group digest",
    "influence": "index rank train_index train_label moved mended ; tile file",
    "interpolation": """
        method antialias macro_f1 ci_low ci_high detail_kept chosen ; same_as delta delta_ci_low
        delta_ci_high
    """,
    "isolated_images": "split index distance score flagged ; file",
    "label_error_summary": "split n estimated ci_low ci_high agreement flagged estimated_precision",
    "label_errors": "split index given suggested score flagged ; file",
    "ledger": """
        index true predicted cause support because ; parts not_examined file detected causes fdr
        evidence resists calibrated
    """,
    "ledger_change": "cause n share n_after share_after difference",
    "ledger_shares": "cause share ci_low ci_high examined ; n",
    "lever_data": "class n train_rows recall_drop recall_gain points images_for_a_point",
    "lever_ensembles": "trainings points",
    "lever_errors": "index true predicted causes fdr levers evidence resists ; file",
    "lever_neighbourhoods": "neighbourhood classes n error_rate drop gain points examples",
    "levers": """
        name group arm control net ci_low ci_high points verdict advice treatment ; errors mended
        broken p_value q_value seconds images trainings
    """,
    "masks": "class n rejected ci_low ci_high area sensitivity specificity",
    "mean_images": "class row column r g b",
    "metadata_scores": """
        column value n accuracy ci_low ci_high expected difference macro_f1 macro_f1_low
        macro_f1_high p_value q_value
    """,
    "misnamed": "split index given named ; file",
    "not_examined": "check reason",
    "outliers": "split index distance score ; given predicted flagged file",
    "preprocessing_audit": """
        preprocessing n macro_f1 difference ci_low ci_high p_value chosen ; log_probability
    """,
    "prescription": "cause share treatment gain_at_most because",
    "property_drift": """
        class property before now effect ci_low ci_high ks p_value q_value drifted n_before n_now
    """,
    "recall": "class group n recall ci_low ci_high precision f1 ; effective_n",
    "rejection": "aimed_accuracy threshold coverage coverage_low coverage_high accuracy ci_low ci_high n",
    "risk_coverage": "coverage threshold error_rate ci_low ci_high n",
    "shortcuts": "attribute values n accuracy expected cramers_v p_value q_value example flagged",
    "slices": "description n error_rate baseline effect p_value q_value confirmed examples ; kind",
    "split_checks": """
        passed ; split_a split_b shared_ids shared_digests share_difference tolerance check value
    """,
    "split_dropped": "split index reason twin_split twin_index ; file twin_file",
    "suggested_groups": """
         ; n first last splits classes by groups share example n_test n_with_neighbour macro_f1
        ci_low ci_high effective_n n_without_neighbour macro_f1_without_neighbour without_ci_low
        without_ci_high
    """,
    "treatment_arms": "name status seeds because ; steps seconds",
    "treatment_classes": "name class delta_f1 ci_low ci_high p_value p_adjusted",
    "treatments": """
        name target seeds delta_macro_f1 ci_low ci_high p_value delta_target verdict
        minimum_detectable target_ci_low target_ci_high target_verdict regressed ; cause macro_f1
        p_adjusted target_p_adjusted worst_class worst_delta_f1 worst_ci_low worst_ci_high
    """,
    "unreadable": "file reason n kind",
}  # fmt: skip
REQUIRED: Mapping[str, tuple[str, ...]] = {
    table: tuple(names.partition(";")[0].split()) for table, names in LISTED.items()
}
KNOWN: Mapping[str, frozenset[str]] = {
    table: frozenset(names.replace(";", " ").split()) for table, names in LISTED.items()
}
# Columns that identify or judge a row: where they are required, none of their values may be missing.
KEYS = frozenset(
    {
        "because", "cause", "class", "confirmed", "count", "description", "flagged", "given", "index",
        "index_a", "index_b", "n", "name", "predicted", "source", "split", "split_a", "split_b", "suggested",
        "true", "verdict",
    }
)  # fmt: skip
# Numbers that gates, cards and comparisons use: none may be missing.
NUMBERS: Mapping[str, frozenset[str]] = {
    table: frozenset(names.split())
    for table, names in {
        "ambiguity": "score", "balance": "share", "calibration_summary": "value", "confusion": "rate",
        "confusion_pairs": "rate q_value", "context": "effect", "duplicates": "score", "errors": "confidence",
        "label_errors": "score", "ledger_shares": "share ci_low ci_high",
        "levers": "net ci_low ci_high points", "metadata_scores": "accuracy macro_f1",
        "recall": "recall ci_low ci_high precision f1", "slices": "error_rate effect",
        "treatments": "delta_macro_f1 ci_low ci_high",
    }.items()
}  # fmt: skip


def require_columns(table: str, frame: pl.DataFrame) -> None:
    """Refuse a stored table that lacks a required column or value.

    Raises:
        ValueError: one is missing; the message names the first such column.
    """
    for name in REQUIRED.get(table, ()):
        if name not in frame.columns:
            raise ValueError(f"its column '{name}' is missing")
        always = name in KEYS or name in NUMBERS.get(table, ())
        if always and frame[name].null_count():
            raise ValueError(f"its column '{name}' should hold a value in each row, and some have none")
