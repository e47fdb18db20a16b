using Lintel.Identities;

namespace Lintel.Tests.Identities;

public sealed class PasswordHashTests
{
    /// <summary>Made by Python's <c>hashlib.pbkdf2_hmac</c>.</summary>
    [Fact]
    public void Hash_OfAnotherImplementation_Matches()
    {
        Assert.True(
            PasswordHash.TryParse("pbkdf2-sha256:100000:AAECAwQFBgcICQoLDA0ODw:n7ndPI4pRDZreIx-eVpaY1DViEWyo9Ia1l8HtVGB-Dc", out var hash)
        );
        Assert.True(hash.Matches("secret"u8));
        Assert.False(hash.Matches("Secret"u8));
        Assert.False(hash.Matches(""u8));
    }

    [Fact]
    public void Hash_AsItIsConfigured_IsReadAgain()
    {
        var hash = PasswordHash.Create("x"u8, PasswordHash.LeastIterations);
        Assert.True(PasswordHash.TryParse(hash.ToConfig(), out var read));
        Assert.Equal(hash.ToConfig(), read.ToConfig());
        Assert.True(read.Matches("x"u8));
        Assert.NotEqual(hash.ToConfig(), PasswordHash.Create("x"u8, PasswordHash.LeastIterations).ToConfig());
    }

    [Theory]
    [InlineData("")]
    [InlineData("secret")]
    [InlineData("pbkdf2-sha256:99999:AAECAwQFBgcICQoLDA0ODw:47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU")]
    [InlineData("pbkdf2-sha256:10000001:AAECAwQFBgcICQoLDA0ODw:47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU")]
    [InlineData("pbkdf2-sha256:-600000:AAECAwQFBgcICQoLDA0ODw:47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU")]
    [InlineData("pbkdf2-sha256:600000:AAEC:47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU")]
    [InlineData("pbkdf2-sha256:600000:AAECAwQFBgcICQoLDA0ODw:47DEQpj8")]
    [InlineData("pbkdf2-sha256:600000:AAECAwQFBgcICQoLDA0ODw:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU")]
    [InlineData("pbkdf2-sha512:600000:AAECAwQFBgcICQoLDA0ODw:47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU")]
    public void Text_OfAnythingElse_IsNoHash(string text) => Assert.False(PasswordHash.TryParse(text, out _));
}
