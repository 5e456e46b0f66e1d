from django import forms

from .models import User
from .zones import zone_choices


class TimeZoneForm(forms.ModelForm):
    time_zone = forms.ChoiceField(
        label="Your time zone", choices=zone_choices, help_text="All times on these pages are shown in this zone."
    )

    class Meta:
        model = User
        fields = ["time_zone"]

    def save(self, commit: bool = True) -> User:
        """Save this field alone: a full save could write back what an administrator has changed meanwhile."""
        user: User = super().save(commit=False)
        if commit:
            user.save(update_fields=["time_zone"])
        return user
