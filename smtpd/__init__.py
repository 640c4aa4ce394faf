"""Everything that speaks to the network: the companion daemon.

Python 3.11 still ships a module of this name; started through ``manage.py`` or gunicorn in the checkout, this
package is found first, and the settings refuse to load when it is not.
"""
