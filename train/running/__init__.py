"""Plans on Ray Tune: the cluster, the trials, their names, progress on the screen, interrupts, going on."""
