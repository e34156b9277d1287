"""A trained network acts: load its policy, play episodes, summarise them, film one."""
