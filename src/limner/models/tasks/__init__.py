"""From raw outputs to annotations: one module a task."""
