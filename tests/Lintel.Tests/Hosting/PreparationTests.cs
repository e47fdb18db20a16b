using Lintel.Errors;
using Lintel.Hosting;

namespace Lintel.Tests.Hosting;

public sealed class PreparationTests
{
    [Fact]
    public void Errors_OfEveryKind_CanBeAnsweredAtTheStart() => Preparation.PrepareErrors();

    [Fact]
    public void Types_OfTheGateway_AllHaveInitialisersThatCanRunAtTheStart() =>
        Assert.InRange(Preparation.InitializeTypes(), 50, int.MaxValue);

    [Theory]
    [InlineData(typeof(OutOfMemoryException), nameof(GatewayErrorKind.Overloaded))]
    [InlineData(typeof(InsufficientMemoryException), nameof(GatewayErrorKind.Overloaded))]
    [InlineData(typeof(InvalidOperationException), nameof(GatewayErrorKind.Internal))]
    public void Exception_ForWantOfMemory_IsNoDefect(Type type, string kind) =>
        Assert.Equal(kind, GatewayError.OfDefect((Exception)Activator.CreateInstance(type)!).Kind.ToString());
}
