"""Pairs of distorted and reference pictures: finding, checking, synthesising and feeding them."""
