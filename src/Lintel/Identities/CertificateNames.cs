using System.Formats.Asn1;
using System.Security.Cryptography.X509Certificates;
using Lintel.Config;

namespace Lintel.Identities;

/// <summary>The names that a certificate is for: DNS names, URIs, email addresses. Its subject is none (RFC 9525 section 2).</summary>
/// <param name="Dns">DNS names.</param>
/// <param name="Uris">URIs.</param>
/// <param name="Emails">Email addresses.</param>
internal sealed record CertificateNames(IReadOnlyList<string> Dns, IReadOnlyList<string> Uris, IReadOnlyList<string> Emails)
{
    private const string AlternativeNames = "2.5.29.17";

    /// <summary>A certificate without names.</summary>
    public static CertificateNames None { get; } = new([], [], []);

    /// <summary>The names of a certificate; none if the extension is malformed.</summary>
    public static CertificateNames Of(X509Certificate2 certificate)
    {
        if (certificate.Extensions.FirstOrDefault(e => e.Oid?.Value == AlternativeNames) is not { } extension)
            return None;
        var names = new Dictionary<int, List<string>>
        {
            [1] = [], // rfc822Name
            [2] = [], // dNSName
            [6] = [], // uniformResourceIdentifier
        };
        try
        {
            var sequence = new AsnReader(extension.RawData, AsnEncodingRules.DER).ReadSequence();
            while (sequence.HasData)
            {
                var tag = sequence.PeekTag();
                if (tag.TagClass == TagClass.ContextSpecific && names.TryGetValue(tag.TagValue, out var list))
                    list.Add(sequence.ReadCharacterString(UniversalTagNumber.IA5String, tag));
                else
                    sequence.ReadEncodedValue();
            }
        }
        catch (AsnContentException)
        {
            return None;
        }

        return new CertificateNames(names[2], names[6], names[1]);
    }

    /// <summary>The first name that a pattern matches; <see langword="null"/> for none.</summary>
    public string? Find(CertificatePattern pattern) =>
        (
            pattern.Kind switch
            {
                CertificateNameKind.Dns => Dns,
                CertificateNameKind.Uri => Uris,
                _ => Emails,
            }
        ).FirstOrDefault(pattern.Matches);
}
