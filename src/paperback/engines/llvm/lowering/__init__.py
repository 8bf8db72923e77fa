"""From a program to work that can be cut: kernel forms, copies, fused statements, where every tensor lives."""
