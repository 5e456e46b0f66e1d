import django.contrib.postgres.fields
import django.contrib.postgres.indexes
import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

import memoryportal.erasure.models


class Migration(migrations.Migration):
    dependencies = [
        ("erasure", "0002_filed_by"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="IdentityLink",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("digest", models.CharField(max_length=64, unique=True)),
                ("sent_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("until", models.DateTimeField()),
                ("used_at", models.DateTimeField(null=True)),
            ],
            options={
                "ordering": ["sent_at"],
            },
        ),
        migrations.CreateModel(
            name="JournalPage",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("ids", django.contrib.postgres.fields.ArrayField(base_field=models.UUIDField(), size=None)),
            ],
        ),
        migrations.CreateModel(
            name="OpenErasure",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("subject", models.CharField(max_length=128)),
                ("agent", models.CharField(blank=True, max_length=128)),
            ],
        ),
        migrations.CreateModel(
            name="OutsidePlace",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=80)),
                ("reported_at", models.DateTimeField(null=True)),
                ("note", models.CharField(blank=True, max_length=300)),
            ],
            options={
                "ordering": ["pk"],
            },
        ),
        migrations.CreateModel(
            name="PrunedCount",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("month", models.DateField()),
                ("channel", models.CharField(max_length=10)),
                ("state", models.CharField(max_length=32)),
                ("count", models.PositiveIntegerField(default=0)),
            ],
        ),
        migrations.RemoveConstraint(
            model_name="erasure",
            name="one_open_erasure_per_subject",
        ),
        migrations.RemoveConstraint(
            model_name="erasure",
            name="erasure_state_is_known",
        ),
        migrations.AddField(
            model_name="erasure",
            name="address",
            field=models.EmailField(blank=True, max_length=254),
        ),
        migrations.AddField(
            model_name="erasure",
            name="agent",
            field=models.CharField(blank=True, max_length=128),
        ),
        migrations.AddField(
            model_name="erasure",
            name="answered",
            field=models.PositiveSmallIntegerField(null=True),
        ),
        migrations.AddField(
            model_name="erasure",
            name="approved_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="erasure",
            name="approved_by",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.SET_NULL, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddField(
            model_name="erasure",
            name="attached_by",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.SET_NULL, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddField(
            model_name="erasure",
            name="channel",
            field=models.CharField(
                choices=[
                    ("self", "by the person, signed in"),
                    ("form", "by the public form"),
                    ("support", "by support, on a ticket"),
                    ("privacy", "by the privacy team, from a letter or a mail"),
                    ("host", "by the application that uses the memories"),
                ],
                default="self",
                max_length=10,
            ),
        ),
        migrations.AddField(
            model_name="erasure",
            name="confirm_by",
            field=models.DateField(null=True),
        ),
        migrations.AddField(
            model_name="erasure",
            name="confirmed_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="erasure",
            name="due",
            field=models.DateField(null=True),
        ),
        migrations.AddField(
            model_name="erasure",
            name="duplicate_of",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.SET_NULL, related_name="duplicates", to="erasure.erasure"
            ),
        ),
        migrations.AddField(
            model_name="erasure",
            name="extended_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="erasure",
            name="extension_reason",
            field=models.CharField(blank=True, max_length=500),
        ),
        migrations.AddField(
            model_name="erasure",
            name="grace_until",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="erasure",
            name="ground",
            field=models.CharField(blank=True, max_length=500),
        ),
        migrations.AddField(
            model_name="erasure",
            name="held_from",
            field=models.CharField(blank=True, max_length=32),
        ),
        migrations.AddField(
            model_name="erasure",
            name="held_until",
            field=models.DateField(null=True),
        ),
        migrations.AddField(
            model_name="erasure",
            name="identified_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="erasure",
            name="identified_by",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.SET_NULL, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddField(
            model_name="erasure",
            name="identified_how",
            field=models.CharField(
                blank=True,
                choices=[
                    ("session", "signed in and confirmed"),
                    ("mail", "by a link sent to their address"),
                    ("officer", "checked by the privacy team"),
                    ("host", "vouched for by the application"),
                ],
                max_length=10,
            ),
        ),
        migrations.AddField(
            model_name="erasure",
            name="identity_note",
            field=models.CharField(blank=True, max_length=500),
        ),
        migrations.AddField(
            model_name="erasure",
            name="keep_never",
            field=models.BooleanField(default=False, verbose_name="keep the list of stopped wordings"),
        ),
        migrations.AddField(
            model_name="erasure",
            name="law",
            field=models.CharField(default=memoryportal.erasure.models.data_law, max_length=4),
        ),
        migrations.AddField(
            model_name="erasure",
            name="next_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="erasure",
            name="questions",
            field=models.PositiveSmallIntegerField(null=True),
        ),
        migrations.AddField(
            model_name="erasure",
            name="receipt",
            field=models.JSONField(null=True),
        ),
        migrations.AddField(
            model_name="erasure",
            name="rested_days",
            field=models.PositiveSmallIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="erasure",
            name="rests_since",
            field=models.DateField(null=True),
        ),
        migrations.AddField(
            model_name="erasure",
            name="reviewer",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.SET_NULL, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddField(
            model_name="erasure",
            name="scope",
            field=models.CharField(
                choices=[
                    ("everything", "everything that is remembered"),
                    ("assistant", "what one assistant remembers"),
                    ("account", "everything that is remembered, and the account"),
                ],
                default="everything",
                max_length=10,
            ),
        ),
        migrations.AddField(
            model_name="erasure",
            name="secret",
            field=models.CharField(blank=True, max_length=64),
        ),
        migrations.AddField(
            model_name="erasure",
            name="secret_until",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="erasure",
            name="subjects",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(max_length=128), blank=True, default=list, size=None
            ),
        ),
        migrations.AddField(
            model_name="erasure",
            name="sweeps",
            field=models.PositiveSmallIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="erasure",
            name="ticket",
            field=models.CharField(blank=True, max_length=40),
        ),
        migrations.AddField(
            model_name="erasure",
            name="told",
            field=models.CharField(blank=True, max_length=500),
        ),
        migrations.RunSQL(
            "UPDATE erasure_erasure SET subjects = ARRAY[subject]; SET CONSTRAINTS ALL IMMEDIATE",
            migrations.RunSQL.noop,
        ),
        migrations.RemoveField(model_name="erasure", name="subject"),
        migrations.RemoveField(model_name="erasure", name="lease_token"),
        migrations.AddField(model_name="erasure", name="lease_token", field=models.BigIntegerField(default=0)),
        migrations.AlterField(
            model_name="erasure",
            name="state",
            field=models.CharField(
                choices=[
                    ("received", "Received"),
                    ("identity", "Waiting for proof of who asks"),
                    ("approval", "Waiting for a second person"),
                    ("waiting", "Begins soon"),
                    ("erasing", "Erasing"),
                    ("verifying", "Reading everything again"),
                    ("watching", "Erased; being watched"),
                    ("completed", "Erased"),
                    ("completed-with-exceptions", "Erased, with exceptions"),
                    ("on-hold", "On hold by law"),
                    ("retrying", "Delayed: trying again"),
                    ("needs-attention", "Delayed: we are looking into it"),
                    ("refused", "Refused"),
                    ("cancelled", "Cancelled"),
                    ("unconfirmed", "Ended: nobody confirmed it"),
                ],
                default="received",
                max_length=32,
            ),
        ),
        migrations.AddIndex(
            model_name="erasure",
            index=django.contrib.postgres.indexes.GinIndex(fields=["subjects"], name="erasure_by_subject"),
        ),
        migrations.AddIndex(
            model_name="erasure",
            index=models.Index(fields=["state", "next_at"], name="erasure_by_state"),
        ),
        migrations.AddIndex(
            model_name="erasure",
            index=models.Index(fields=["due"], name="erasure_by_due_date"),
        ),
        migrations.AddConstraint(
            model_name="erasure",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "state__in",
                        [
                            "received",
                            "identity",
                            "approval",
                            "waiting",
                            "erasing",
                            "verifying",
                            "watching",
                            "completed",
                            "completed-with-exceptions",
                            "on-hold",
                            "retrying",
                            "needs-attention",
                            "refused",
                            "cancelled",
                            "unconfirmed",
                        ],
                    )
                ),
                name="erasure_state_is_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="erasure",
            constraint=models.CheckConstraint(
                condition=models.Q(("law__in", ["gdpr", "ccpa", "both"])), name="erasure_law_is_known"
            ),
        ),
        migrations.AddField(
            model_name="identitylink",
            name="erasure",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="links", to="erasure.erasure"
            ),
        ),
        migrations.AddField(
            model_name="journalpage",
            name="erasure",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="journal", to="erasure.erasure"
            ),
        ),
        migrations.AddField(
            model_name="openerasure",
            name="erasure",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="open_rows", to="erasure.erasure"
            ),
        ),
        migrations.AddField(
            model_name="outsideplace",
            name="erasure",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="outside", to="erasure.erasure"
            ),
        ),
        migrations.AddField(
            model_name="outsideplace",
            name="reported_by",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.SET_NULL, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddConstraint(
            model_name="prunedcount",
            constraint=models.UniqueConstraint(
                fields=("month", "channel", "state"), name="one_count_per_month_channel_and_end"
            ),
        ),
        migrations.AddConstraint(
            model_name="openerasure",
            constraint=models.UniqueConstraint(
                fields=("subject", "agent"), name="one_open_erasure_per_subject_and_assistant"
            ),
        ),
        migrations.AddConstraint(
            model_name="outsideplace",
            constraint=models.UniqueConstraint(fields=("erasure", "name"), name="one_report_per_outside_place"),
        ),
    ]
