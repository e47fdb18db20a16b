using System.Text;
using System.Text.Json;
using Lintel.Identities.Tokens;

namespace Lintel.Tests.Identities.Tokens;

/// <summary>The examples of the standards.</summary>
public sealed class VectorTests
{
    private const string JoePayload = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";

    /// <summary>RFC 7515 appendix A.2.</summary>
    private const string RsaKey = """
        {"kty":"RSA","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ","e":"AQAB"}
        """;

    /// <summary>RFC 7515 appendix A.3.</summary>
    private const string EcKey = """
        {"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}
        """;

    [Fact]
    public void Rfc7515_A2_Rs256_IsVerified()
    {
        const string Signature =
            "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4"
            + "BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqv"
            + "hJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
        AssertVerifies($"eyJhbGciOiJSUzI1NiJ9.{JoePayload}.{Signature}", RsaKey, "RS256");
    }

    [Fact]
    public void Rfc7515_A3_Es256_IsVerified() =>
        AssertVerifies(
            $"eyJhbGciOiJFUzI1NiJ9.{JoePayload}.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
            EcKey,
            "ES256"
        );

    /// <summary>Appendix A.4 signs the text "Payload": a JWS whose signature is right, and which is not a JWT.</summary>
    [Fact]
    public void Rfc7515_A4_Es512_IsNoJwt_ThoughItsSignatureIsRight()
    {
        const string Key = """
            {"kty":"EC","crv":"P-521","x":"AekpBQ8ST8a8VcfVOTNl353vSrDCLLJXmPk06wTjxrrjcBpXp5EOnYG_NjFZ6OvLFV1jSfS9tsz4qUxcWceqwQGk","y":"ADSmRA43Z1DSNx_RvcLI87cdL07l6jQyyBXMoxVg_l2Th-x3S1WDhjDly79ajL4Kkd0AZMaZmh9ubmf63e3kyMj2"}
            """;
        const string Signature =
            "AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZOYaRI1bKPWROc-mZZqwqT2SI-KGDKB34XO0aw_7XdtAG8GaSwFKdCAPZgoXD2YBJZCPEX3xKpRwcdOO8Kp"
            + "EHwJjyqOgzDO7iKvU8vcnwNrmxYbSW9ERBXukOXolLzeO_Jn";
        const string Token = $"eyJhbGciOiJFUzUxMiJ9.UGF5bG9hZA.{Signature}";
        Assert.False(SignedToken.TryParse(Token, out _, out var problem));
        Assert.Equal("its payload is not a JSON object in base64url", problem);
        Assert.True(Base64.TryDecode(Signature, out var signature));
        var signed = Encoding.ASCII.GetBytes("eyJhbGciOiJFUzUxMiJ9.UGF5bG9hZA");
        Assert.True(KeyOf(Key).Verify(SignatureAlgorithm.Find("ES512")!, signed, signature));
    }

    /// <summary>RFC 7519 section 6.1, and RFC 7515 appendix A.1: unsigned, and signed with a shared secret.</summary>
    [Fact]
    public void Rfc7519_TokensWithoutAPublicKey_AreRefused()
    {
        Assert.False(SignedToken.TryParse($"eyJhbGciOiJub25lIn0.{JoePayload}.", out _, out _));
        Assert.True(
            SignedToken.TryParse(
                $"eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.{JoePayload}.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
                out var token,
                out _
            )
        );
        Assert.Null(SignatureAlgorithm.Find(token.Algorithm));
    }

    /// <summary>RFC 7517 appendix A.1: the second key has an <c>alg</c>, the first is for encryption.</summary>
    [Fact]
    public void Rfc7517_A1_KeySet_HasTheKeyThatVerifies()
    {
        const string Keys = """
            {"keys":
              [
                {"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM","use":"enc","kid":"1"},
                {"kty":"RSA","n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw","e":"AQAB","alg":"RS256","kid":"2011-04-29"}
              ]
            }
            """;
        var set = KeySet.Parse(JsonElement.Parse(Keys));
        Assert.Equal("key 1: its use is `enc`", Assert.Single(set.PassedOver));
        Assert.Equal(
            "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs",
            KeyOf(JsonElement.Parse(Keys).GetProperty("keys")[1].GetRawText()).Thumbprint
        ); // RFC 7638 section 3.1
        Assert.Single(set.Find("2011-04-29", SignatureAlgorithm.Find("RS256")!).Keys);
        Assert.Empty(set.Find("2011-04-29", SignatureAlgorithm.Find("PS256")!).Keys);
    }

    /// <summary>RFC 9449 section 7.1: the proof and its token, from figure 13.</summary>
    [Fact]
    public void Rfc9449_Proof_IsVerified()
    {
        const string Proof =
            "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCR"
            + "nMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwia"
            + "HRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJ"
            + "aM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9.2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxh"
            + "AJpLjA";
        Assert.True(DpopProof.TryParse(Proof, out var proof, out var problem), problem);
        Assert.Equal(("GET", "https://resource.example.org/protectedresource", "e1j3V_bKic8-LAEB"), (proof.Method, proof.Url, proof.Id));
        Assert.Equal("0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I", proof.Key);
        Assert.True(proof.IsFor("Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"));
        Assert.False(DpopProof.TryParse(Proof[..^2] + "jg", out _, out _));
    }

    [Theory]
    [InlineData("""{"kty":"oct","k":"AAAA"}""", "it contains a secret or private key, which no longer proves anything")]
    [InlineData("""{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}""", "its type is `OKP`")]
    [InlineData("""{"kty":"EC","crv":"secp256k1","x":"AAAA","y":"AAAA"}""", "its curve is `secp256k1`")]
    [InlineData("""{"kty":"EC","crv":"P-256","x":"AAAA","y":"AAAA"}""", "its coordinates do not have the length of its curve")]
    [InlineData("""{"kty":"RSA","n":"AQAB","e":"AQAB"}""", "it has 17 bits: RSA keys have from 2048 to 8192")]
    [InlineData("""{"kty":"RSA","e":"AQAB"}""", "its `n` is missing or malformed")]
    [InlineData("""{"kty":"RSA","n":"AQAB","e":"AQAB","key_ops":["encrypt"]}""", "it is not for verifying signatures (`key_ops`)")]
    [InlineData("""{"kty":"RSA","n":"AQAB","e":"AQAB","alg":"HS256"}""", "its algorithm is `HS256`")]
    [InlineData("""{"kty":1}""", "it is not a JWK")]
    [InlineData("[]", "it is not a JWK")]
    public void Key_ThatCannotVerify_IsRefusedWithAReason(string jwk, string reason) =>
        Assert.Equal(reason, Assert.Throws<FormatException>(() => KeyOf(jwk)).Message);

    [Fact]
    public void Key_BesideItsCurve_OrOfAnotherAlgorithm_IsRefused()
    {
        var beside = EcKey.Replace("\"x\":\"f83O", "\"x\":\"f83P", StringComparison.Ordinal);
        Assert.Equal("its numbers are not those of a key", Assert.Throws<FormatException>(() => KeyOf(beside)).Message);
        var confused = EcKey.Replace("\"crv\"", "\"alg\":\"RS256\",\"crv\"", StringComparison.Ordinal);
        Assert.Equal("its type does not go with its algorithm `RS256`", Assert.Throws<FormatException>(() => KeyOf(confused)).Message);
    }

    private static void AssertVerifies(string text, string jwk, string algorithm)
    {
        Assert.True(SignedToken.TryParse(text, out var token, out var problem), problem);
        Assert.Equal("joe", token.Payload.GetProperty("iss").GetString());
        var key = KeyOf(jwk);
        Assert.True(key.Fits(SignatureAlgorithm.Find(algorithm)!));
        Assert.True(token.IsSignedBy(key, SignatureAlgorithm.Find(algorithm)!));
        Assert.NotNull(new TokenRules("joe") { Audiences = null }.Check(token.Payload, DateTimeOffset.UtcNow, out _)); // of 2011
        Assert.Null(new TokenRules("joe").Check(token.Payload, DateTimeOffset.FromUnixTimeSeconds(1300819379), out _));
    }

    private static VerificationKey KeyOf(string jwk) => VerificationKey.Of(JsonElement.Parse(jwk));
}
