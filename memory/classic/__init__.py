"""Classic recurrent networks: nonlinear, one step after the other (RNN, GRU, LSTM, ...)."""
