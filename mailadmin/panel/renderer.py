"""How forms become HTML: the project's own templates, so that every form reads alike."""

from __future__ import annotations

from django.forms.renderers import TemplatesSetting


class PanelRenderer(TemplatesSetting):
    """Renders forms by templates/components/form.html and their fields by field.html."""

    form_template_name = "components/form.html"
    field_template_name = "components/field.html"
