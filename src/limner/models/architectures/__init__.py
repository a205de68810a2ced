"""Networks of other programs, rebuilt in torch from their own tensors. One file for each family."""
