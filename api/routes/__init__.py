"""Doors over HTTP: translate, authorise, call one service, render. No route computes or commits."""
