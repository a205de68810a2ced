-- Run once, when the database is set up: MLflow has tables of its own, beside Limner's.
CREATE DATABASE mlflow;
