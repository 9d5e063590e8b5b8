"""Scores and summaries as tables on a terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tidenhance import tables
from tidenhance.runs import Summary

FIGURES: dict[str, Any] = {
    "pairs": 2,
    "psnr": 22.345,
    "ssim": 0.71234,
    "mse": 0.0052,
    "mae": 0.049,
    "identity": {"psnr": 20.1, "mse": 0.00967, "mae": 0.0612},
    "gain": {"psnr": {"mean": 2.245, "low": 1.5, "high": 3.0, "references": 5}},
    "seconds_per_picture": 1.5,
}
GROUPED = {
    **FIGURES,
    "per_type": {"1": {**FIGURES, "name": "noise"}, "10": {**FIGURES, "name": "JPEG"}},
    "per_level": {"5": FIGURES},
    "per_reference": {"i21": FIGURES, "i22": FIGURES},
}
RESULT = {
    **GROUPED,
    "run": "[red]x[/b]",
    "split": "val",
    "references": 2,
    "conventions": {"range": "[0, 1]", "rounding": "8 bits"},
    "article": None,
    "baselines": {"nlm": {**GROUPED, "gain": {"psnr": {"mean": -0.5, "low": None, "high": None}}}},
}


BETTER = (("i21", 1.0), ("i22", 1.2))


def lines(capsys: Any) -> list[str]:
    return [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]


def test_scores_of_a_run_and_a_baseline(capsys):
    tables.print_scores({"[red]x[/b]": RESULT})
    found = lines(capsys)
    assert found[0].startswith("val; pairs 2, references 2; [0, 1]; 8 bits")
    assert "doing nothing 20.10 dB – – – – – 0.00967 0.0612 –" in found
    figures = "– 0.7123 – 0.00520 0.0490 1.500"
    assert f"[red]x[/b] 22.34 dB +2.25 dB [+1.50, +3.00] – {figures}" in found
    tables.print_scores({"[red]x[/b]": {**RESULT, "baselines": {}}})
    alone = lines(capsys)
    assert f"[red]x[/b] 22.34 dB +2.25 dB [+1.50, +3.00] {figures}" in alone
    assert not any("to first" in line for line in alone)
    assert f"nlm 22.34 dB -0.50 dB +0.00 dB [+0.00, +0.00] {figures}" in found


def test_scores_by_type_and_reference_but_not_by_the_only_level(capsys):
    baseline = {**GROUPED, "per_type": {n: {**FIGURES, "psnr": 19.0} for n in ("1", "10")}}
    tables.print_scores({"[red]x[/b]": {**RESULT, "baselines": {"nlm": baseline}}})
    found = lines(capsys)
    assert "10 JPEG 2 20.10 22.34 (+2.25) 19.00 (+2.25)" in found
    assert "i22 2 20.10 22.34 (+2.25) 22.34 (+2.25)" in found
    assert not any("by level" in line for line in found)


def test_several_runs_stand_beside_each_other(capsys):
    better = {name: {**FIGURES, "gain": {"psnr": {"mean": 2.245 + gain}}} for name, gain in BETTER}
    second = {**RESULT, "psnr": 23.0, "per_reference": better}
    tables.print_scores({"[red]x[/b]": RESULT, "second": second})
    found = lines(capsys)
    # By hand: t of 1 degree of freedom is 12.706, the standard error 0.1.
    paired = "+1.10 dB [-0.17, +2.37]"
    wanted = f"second 23.00 dB +2.25 dB [+1.50, +3.00] {paired}"
    assert any(line.startswith(wanted) for line in found)
    assert any("PSNR is better than that of [red]x[/b], in pairs" in line for line in found)
    assert "10 JPEG 2 20.10 22.34 (+2.25) 22.34 (+2.25) 22.34 (+2.25)" in found


def test_the_articles_figures_are_marked_as_the_articles(capsys):
    given = {"figures": {"mse": 0.0056}, "note": "on the real archive"}
    tables.print_scores({"[red]x[/b]": {**RESULT, "article": given}})
    assert "[red]x[/b]: the article has mse 0.0056 (on the real archive)" in lines(capsys)


def test_runs(capsys):
    tables.print_runs(
        [
            Summary(
                path=Path("runs/one"),
                state="finished",
                config="mirnet32",
                epochs=3,
                planned_epochs=5,
                best_val_loss=0.00567,
                scores={"psnr": 22.5, "gain": {"psnr": {"mean": 2.4}}},
            ),
            Summary(Path("runs/two"), "running"),
            Summary(Path("runs/three"), "damaged", problem="state.json: damaged: it is empty."),
        ]
    )
    found = lines(capsys)
    assert "one finished mirnet32 3/5 0.00567 22.50 dB +2.40 dB" in found
    assert "two running ? 0/? – – –" in found
    assert "three damaged ? 0/? – – –" in found
    assert "state.json: damaged: it is empty." in found


def test_names_in_others_runs_do_not_reach_the_terminal_raw(capsys):
    name = "a\x1b[31m\nb"
    tables.print_runs([Summary(Path(name), "damaged", config=name, problem=f"{name}: damaged.")])
    out = capsys.readouterr().out
    assert out.count(r"a\x1b[31m\nb") == 2
    assert "\x1b[31m" not in out
    assert out.endswith("a\\x1b[31m\nb: damaged.\n")


def test_the_check_of_a_folder(capsys):
    tables.print_check(
        {
            "psnrc": {
                "1": {"name": "noise", "mean": [33.06, None, 1, 2, 3], "archive": [33.1] * 5}
            },
            "pairs": {"train": 3},
            "identity_mse": {"train": None},
            "identity_mse_of_the_archive": {"train": 0.00914},
            "sizes": {"512 x 384": 4},
            "references": 1,
            "distorted": 3,
            "compared": 2,
            "problems": ["[b]one[/b]"],
        }
    )
    found = lines(capsys)
    assert "1 noise 33.1 (33.1) – (33.1) 1.0 (33.1) 2.0 (33.1) 3.0 (33.1)" in found
    assert "train 3 – 0.00914" in found
    assert "1 references, 3 distorted; 4 of 512 x 384" in found
    assert "compared with metrics_values/PSNRc.txt: 2" in found
    assert "problem: [b]one[/b]" in found
    assert "1 problems" in found


def test_a_summary(capsys):
    tables.print_summary(
        {
            "layer_table": [
                {"name": "a", "type": "Conv2D", "output": [[None, None, 3]], "parameters": 1234}
            ],
            "layers": 1339,
            "parameters": 44157007,
            "multiply_adds": 12345,
            "width": 512,
            "height": 384,
            "receptive_field": 15,
            "sees_whole_picture": True,
            "pictures_at_once": 8,
            "training_memory_bytes": 3 * 2**29,
            "gradient_accumulation_steps": 2,
            "training_memory_bytes_by_accumulation": {1: 3 * 2**30, 2: 3 * 2**29},
            "machine_memory_bytes": 2**31,
        }
    )
    assert lines(capsys)[-8:] == [
        "",
        "layers: 1,339, the input counted",
        "parameters: 44,157,007",
        "multiply-adds: 12,345 for 512 x 384",
        "receptive field: 15 pixels, and the whole picture through global pooling",
        "memory to train with gradient_accumulation_steps=1: about 3.0 GiB for 512 x 384"
        " (estimate), more than this machine has",
        "memory to train with gradient_accumulation_steps=2: about 1.5 GiB for 512 x 384"
        " (estimate), as configured",
        "memory of this machine: 2.0 GiB",
    ]


def test_long_names_stay_on_one_line(capsys):
    name = "x" * 90
    tables.print_runs([Summary(Path(name), "finished", config="quickstart")])
    assert f"{name} finished quickstart 0/? – – –" in lines(capsys)
