"""The times of inferences and the figures of jobs, for MLflow: sent by a thread, never by whoever is timed."""
