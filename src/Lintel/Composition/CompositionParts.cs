using Lintel.Composition.Answers;
using Lintel.Composition.Calls;
using Lintel.Observability.Logs;
using Lintel.Observability.Metrics;
using Lintel.Services.Attempts;
using Lintel.Transport.Memory;

namespace Lintel.Composition;

/// <summary>The dependencies that composed answers share.</summary>
internal sealed record CompositionParts(
    AttemptParts Attempts,
    CompositionMetrics Compositions,
    AnswerStore Store,
    SharedRequests Shared,
    MemoryBudget Memory
)
{
    public ErrorLog Errors => Attempts.Errors;

    public TimeProvider Time => Attempts.Time;
}
