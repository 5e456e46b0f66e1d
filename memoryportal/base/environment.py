"""What trying the portal out must not inherit: the addresses and keys of somebody's live systems."""

from collections.abc import MutableMapping

# mem0's own settings, the LLM and embedding providers that mem0 and their SDKs read from the environment, and libpq's.
_PREFIXES = (
    "MEM0_",
    "OPENAI_",
    "OPENROUTER_",
    "ANTHROPIC_",
    "AZURE_",
    "LLM_AZURE_",
    "EMBEDDING_AZURE_",
    "GEMINI_",
    "GOOGLE_API",
    "GOOGLE_APPLICATION",
    "GOOGLE_GENAI",
    "VERTEX",
    "GROQ_",
    "TOGETHER_",
    "DEEPSEEK_",
    "MISTRAL_",
    "COHERE_",
    "XAI_",
    "SARVAM_",
    "MINIMAX_",
    "MOONSHOT_",
    "DASHSCOPE_",
    "HUGGINGFACE_",
    "HF_TOKEN",
    "LITELLM_",
    "LMSTUDIO_",
    "OLLAMA_",
    "VLLM_",
    "AWS_ACCESS",
    "AWS_SECRET",
    "AWS_SESSION",
    "AWS_PROFILE",
    "AWS_BEARER",
    "PINECONE_",
    "QDRANT_",
    "VALKEY_",
    "REDIS_",
    "GRANIAN_",
    "OIDC_",
    "SUBJECT_CLAIM",
    "HOST_LINK_",
    "GATEWAY_",
)
_NAMES = (
    "DATABASE_URL",
    "DATABASE_OWNER_URL",
    "MEMORY_DATABASE_URL",
    "MEMORY_OWNER_URL",
    "EMAIL_URL",
    "STATIC_ROOT",
    "KEY_DIR",
    "AUDIT_HEADS",
    "ERASURE_LEDGER",
    "ALLOWED_HOSTS",
    "CSRF_TRUSTED_ORIGINS",
    "TRUSTED_PROXY_COUNT",
    "DEBUG",
)
_LIBPQ = (
    "PGHOST",
    "PGHOSTADDR",
    "PGPORT",
    "PGDATABASE",
    "PGUSER",
    "PGPASSWORD",
    "PGPASSFILE",
    "PGSERVICE",
    "PGSERVICEFILE",
    "PGOPTIONS",
    "PGTARGETSESSIONATTRS",
    "PGSSLMODE",
)


def clear_live_settings(environ: MutableMapping[str, str]) -> list[str]:
    """Remove every variable that could lead to a live database, store or provider; return their names, sorted."""
    found = sorted(name for name in environ if name.startswith(_PREFIXES) or name in _NAMES or name in _LIBPQ)
    for name in found:
        del environ[name]
    return found


def cleared_line(names: list[str]) -> str:
    """One line that says what `clear_live_settings` removed. Names only: the values are secrets."""
    return f"Not used here, although set in your environment: {', '.join(names)}" if names else ""
