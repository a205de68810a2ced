"""Which point of a network answers for which thing, and what a wrong answer costs."""
