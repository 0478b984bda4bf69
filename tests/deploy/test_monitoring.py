"""Dashboard and alerts use the metrics that the service exports."""

from __future__ import annotations

import json
import re
from typing import Any

import yaml

from t2c_service.observability import Metrics

from .conftest import DEPLOY

DASHBOARD = DEPLOY / "grafana" / "dashboards" / "graphling.json"


def expressions() -> list[str]:
    panels: list[dict[str, Any]] = json.loads(DASHBOARD.read_text("utf-8"))["panels"]
    alerts = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yaml").read_text("utf-8"))
    return [target["expr"] for panel in panels for target in panel["targets"]] + [
        rule["expr"] for group in alerts["groups"] for rule in group["rules"]
    ]


def test_every_queried_metric_exists_with_its_labels() -> None:
    labels: dict[str, set[str]] = {}
    for collector in vars(Metrics()).values():
        for family in collector.describe() if hasattr(collector, "describe") else ():
            names = set(collector._labelnames)
            kinds = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"], "gauge": [""]}[
                family.type
            ]
            for suffix in kinds:
                labels[family.name + suffix] = names | ({"le"} if suffix == "_bucket" else set())
    asked: set[str] = set()
    for expression in expressions():
        for name, selector in re.findall(r"\b(t2c_\w+)(?:\{([^}]*)\})?", expression):
            assert name in labels, name
            assert set(re.findall(r"(\w+)[!=~]", selector)) <= labels[name], expression
            asked.add(name)
    families = {re.sub(r"_(total|bucket|sum|count)$", "", name) for name in labels}
    shown = {re.sub(r"_(total|bucket|sum|count)$", "", name) for name in asked}
    assert families - {"t2c_turned_away"} == shown, (
        "a metric that is on no panel; t2c_turned_away is deprecated"
    )


def test_panels_have_titles_and_do_not_lie_on_each_other() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in json.loads(DASHBOARD.read_text("utf-8"))["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert panel["title"]
        assert max(x for x, _ in cells) < 24
        assert not cells & taken
        taken |= cells


def test_prometheus_reads_the_rules_and_grafana_reads_prometheus() -> None:
    config = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yaml").read_text("utf-8"))
    assert all((DEPLOY / "prometheus" / name).is_file() for name in config["rule_files"])
    (source,) = yaml.safe_load(
        (DEPLOY / "grafana/provisioning/datasources/prometheus.yaml").read_text("utf-8")
    )["datasources"]
    used = {panel["datasource"]["uid"] for panel in json.loads(DASHBOARD.read_text("utf-8"))["panels"]}
    assert used == {source["uid"]}
