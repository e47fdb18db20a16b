namespace Lintel.Errors;

/// <summary>One of the things that are wrong with a request.</summary>
/// <param name="Detail">What is wrong, without values of the request.</param>
/// <param name="Part">Which part of the request: <c>pointer</c>, <c>parameter</c> or <c>header</c>.</param>
/// <param name="Place">Where: a JSON Pointer as a URI fragment (RFC 6901 section 6), or the name of the parameter or header.</param>
internal readonly record struct RequestFault(string Detail, string Part, string Place);
