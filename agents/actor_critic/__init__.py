"""Actor-critic algorithms on columns: return estimators, the loss, RecurrentPPO, RecurrentIMPALA."""
