"""The pipeline by Airflow's clock instead of `workbench schedule`: each task is a command, resumable by itself.

Copy it into the `dags` folder. PROJECT is the folder with `pipeline.yaml`; `workbench` must be on the worker's PATH.
"""

from __future__ import annotations

import os
from datetime import datetime, timedelta

from airflow import DAG
from airflow.operators.bash import BashOperator

PROJECT = os.environ.get("WORKBENCH_PROJECT", "/srv/workbench")
DEFAULTS = {
    "owner": "analytics",
    "depends_on_past": False,
    "start_date": datetime(2026, 1, 1),
    "email_on_failure": True,
    "retries": 1,
    "retry_delay": timedelta(minutes=5),
}

with DAG(
    "nubi_ml_pipeline",
    default_args=DEFAULTS,
    description="ML model training and prediction pipeline",
    schedule="@daily",
    catchup=False,
    max_active_runs=1,  # two runs never build the same products
) as dag:
    extract_features = BashOperator(
        task_id="extract_features", bash_command="workbench run --date {{ data_interval_end | ds }}", cwd=PROJECT
    )
    train_models = BashOperator(
        task_id="train_models",
        bash_command="workbench models retrain --until {{ data_interval_end | ds }}",
        cwd=PROJECT,
    )
    generate_predictions = BashOperator(
        task_id="generate_predictions",
        bash_command="workbench models predict --until {{ data_interval_end | ds }}",
        cwd=PROJECT,
    )
    extract_features >> train_models >> generate_predictions
