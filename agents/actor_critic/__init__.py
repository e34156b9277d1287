"""Actor-critics on columns: return estimators, the loss, RecurrentPPO, RecurrentA2C, RecurrentIMPALA."""
