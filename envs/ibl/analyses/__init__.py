"""What a player of the IBL task does, and how a network does it: analyses as pure functions on arrays.

`recording` keeps every step of a player: `Steps`. `behaviour` reads tables of trials. Of the states of a
network, `plane` finds the two directions that vary most, `readouts` those that say the side of the stimulus
and of the block, `evidence` how observations move states along them, `populations` which units go together;
`dynamics` finds out where a network goes from any state; `distillation` makes two units of it.

N steps or states, H units, B lanes, K trials.

Source: Schaeffer, Khona, Meshulam, International Brain Laboratory and Fiete, Reverse-engineering recurrent
neural network solutions to a hierarchical inference task for mice, 2020, sections 3.1 to 3.3.
"""
